"""Bytes that no vendor should send, into every decoder."""

import pytest

from routing.surfaces import Surface
from routing.translators.registry import VENDORS

# One event of each wire format, with text that is no UTF-8, and with endless nesting.
_EVENTS = {
    Surface.CHAT: b'{"choices":[{"index":0,"delta":{"content":%b}}]}',
    Surface.RESPONSES: b'{"type":"response.output_text.delta","output_index":0,'
    b'"content_index":0,"item_id":"i","delta":%b}',
    Surface.MESSAGES: b'{"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":%b}}',
    Surface.GENERATE: b'{"candidates":[{"content":{"parts":[{"text":%b}]}}]}',
}


@pytest.mark.parametrize("surface", list(VENDORS))
@pytest.mark.parametrize(
    "broken", [b'"\xff"', b'"\xed\xa0\x80"', b"[" * 20_000, b'"', b'"\\ud800"']
)
def test_a_decoder_skips_what_is_broken_and_goes_on(surface, broken):
    decoder = VENDORS[surface].stream_decoder()
    assert not any(hasattr(event, "text") for event in decoder.decode(_EVENTS[surface] % broken))
    decoder.decode(_EVENTS[surface] % b'"whole"')
    decoder.end()
