import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.conversation import FinishReason, SealFormat
from routing.events import (
    Cited,
    Finish,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    Start,
    TextDelta,
    TextEnd,
    ToolDelta,
    ToolEnd,
    ToolStart,
)
from routing.translators import anthropic_messages as messages
from tests.routing.translators.anthropic_messages import making


def read(*documents):
    decoder = messages.stream_decoder()
    found = []
    for document in documents:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        found += decoder.decode(data)
    return [*found, *decoder.end()]


def start(index=0, **block):
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(kind, index=0, **fields):
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def stop(index=0):
    return {"type": "content_block_stop", "index": index}


def call(*deltas, given=None):
    return (start(type="tool_use", id="toolu_1", name="f", input=given or {}), *deltas, stop())


def test_message_start_is_told_once_and_its_usage_is_not_content():
    first = {"type": "message_start", "message": {"usage": {"input_tokens": 0}}}
    assert read(first, first) == [Start()]


def test_text_is_read_with_spaces_after_the_data():
    data = json.dumps(delta("text_delta", text="a")).encode() + b"    "
    assert read(start(type="text", text=""), data, stop()) == [TextDelta(text="a"), TextEnd()]


def test_text_in_a_blocks_start_is_not_lost():
    assert read(start(type="text", text="a"))[0] == TextDelta(text="a")
    assert read(start(type="thinking", thinking="b"))[0].text == "b"


def test_arguments_split_over_deltas_with_empty_ones():
    pieces = [delta("input_json_delta", partial_json=piece) for piece in ("", '{"a', '":1}')]
    assert read(*call(*pieces)) == [
        ToolStart(call=0, id="toolu_1", name="f"),
        ToolDelta(call=0, arguments='{"a'),
        ToolDelta(call=0, arguments='":1}'),
        ToolEnd(call=0),
    ]


def test_a_call_without_arguments_has_an_empty_object():
    told = read(*call(delta("input_json_delta", partial_json="")))
    assert told[1:] == [ToolDelta(call=0, arguments="{}"), ToolEnd(call=0)]


def test_input_that_comes_whole_in_the_start_is_kept_unless_deltas_tell_it_again():
    assert read(*call(given={"a": 1}))[1] == ToolDelta(call=0, arguments='{"a":1}')
    told = read(*call(delta("input_json_delta", partial_json='{"a":1}'), given={"a": 1}))
    assert [event.arguments for event in told if isinstance(event, ToolDelta)] == ['{"a":1}']


def test_calls_are_counted_over_the_answer():
    assert [event.call for event in read(*call(), *call())] == [0, 0, 0, 1, 1, 1]


def test_thinking_ends_with_its_signature():
    told = read(
        start(type="thinking", thinking="", signature=""),
        delta("thinking_delta", thinking="hm"),
        delta("signature_delta", signature="c2ln"),
        stop(),
    )
    assert told == [
        ReasoningDelta(text="hm", format=SealFormat.ANTHROPIC),
        ReasoningEnd(seal=making.claude_seal("c2ln"), format=SealFormat.ANTHROPIC),
    ]


def test_thinking_without_a_signature_ends_unsealed():
    told = read(start(type="thinking", thinking="", signature=""), stop(),
                start(type="thinking", thinking=""), stop())  # fmt: skip
    assert [event.seal for event in told] == [None, None]


def test_redacted_thinking_is_a_seal_of_its_own():
    (told,) = read(start(type="redacted_thinking", data="RXQ="), stop())
    assert (told.seal.data, told.seal.is_redacted) == ("RXQ=", True)


@pytest.mark.parametrize(
    "kind", ["server_tool_use", "web_search_tool_result", "compaction", "brand_new"]
)
def test_what_the_vendors_own_tools_do_is_left_out(kind):
    told = read(start(type=kind, id="s", name="web_search", input={}),
                delta("input_json_delta", partial_json='{"query":"x"}'), stop())  # fmt: skip
    assert told == []


def test_citations_of_every_kind_are_told():
    web = {"type": "web_search_result_location", "url": "https://a.example/", "title": "T",
           "cited_text": "x", "encrypted_index": "E"}  # fmt: skip
    page = {"type": "page_location", "document_title": "D", "cited_text": "y"}
    found = {"type": "search_result_location", "source": "https://b.example/", "title": None}
    deltas = [delta("citations_delta", citation=one) for one in (web, page, found, "bad")]
    told = read(start(type="text", text="", citations=[]), *deltas)
    first, second, third = [event.citation for event in told if isinstance(event, Cited)]
    assert (first.url, first.title, first.cited_text) == ("https://a.example/", "T", "x")
    assert (first.encrypted_index, first.native) == ("E", web)
    assert (second.url, second.title) == ("", "D")
    assert third.url == "https://b.example/"


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("max_tokens", FinishReason.LENGTH),
        ("model_context_window_exceeded", FinishReason.LENGTH),
        ("tool_use", FinishReason.TOOL_CALLS),
        ("pause_turn", FinishReason.PAUSE),
        ("compaction", FinishReason.PAUSE),
        ("refusal", FinishReason.REFUSAL),
        ("brand_new", FinishReason.OTHER),
    ],
)
def test_stop_reasons_become_our_words_and_keep_their_own(native, reason):
    ending = {"type": "message_delta", "delta": {"stop_reason": native, "stop_sequence": "X"}}
    assert read(ending, ending) == [Finish(reason=reason, native=native, stop_sequence="X")]


def test_a_refusal_is_told_with_its_explanation():
    details = {"type": "refusal", "category": "bio", "explanation": "Not this."}
    ending = {"stop_reason": "refusal", "stop_details": details}
    told = read({"type": "message_delta", "delta": ending})
    assert told[0] == RefusalDelta(text="Not this.")
    assert told[1].reason is FinishReason.REFUSAL


def test_a_stream_that_breaks_off_ends_what_is_open_and_invents_no_finish():
    told = read(start(type="text", text=""), delta("text_delta", text="a"))
    assert told == [TextDelta(text="a"), TextEnd()]


def test_a_block_that_never_stopped_ends_where_the_next_begins():
    told = read(start(type="text", text=""), delta("text_delta", text="a"), *call())
    assert told[1] == TextEnd()
    assert isinstance(told[2], ToolStart)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[DONE]", b"null", b"[]", b'"x"', b"\xff", b'{"type":5}', b'{"type":"ping"}',
        b'{"type":"content_block_delta"}', b'{"type":"content_block_delta","delta":[]}',
        b'{"type":"content_block_delta","delta":{"type":"text_delta","text":5}}',
        b'{"type":"content_block_start","content_block":7}',
        b'{"type":"content_block_start","content_block":{"type":[]}}',
        b'{"type":"error","error":{"type":"overloaded_error"}}',
        b'{"type":"message_delta","delta":{"stop_reason":null}}',
        b"{" * 5_000,
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_skipped(data):
    assert read(data) == []


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_no_bytes_make_it_raise(pieces):
    read(*pieces)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)
KINDS = ["text", "thinking", "tool_use", "redacted_thinking", "server_tool_use", "x"]
NAMES = ["text", "thinking", "partial_json", "signature", "citation", "stop_reason", "input",
         "citations", "data", "id", "name", "stop_details"]  # fmt: skip
FIELDS = st.dictionaries(st.sampled_from(NAMES), JSON)


@given(st.lists(st.tuples(st.sampled_from(KINDS), FIELDS, FIELDS), max_size=3))
def test_no_event_makes_it_raise(told):
    events = []
    for kind, block, piece in told:
        events += [start(**(block | {"type": kind})), delta(f"{kind}_delta", **piece)]
        events += [delta("input_json_delta", **piece), delta("citations_delta", **piece)]
        events += [{"type": "message_delta", "delta": piece}, stop()]
    read(*events)
