import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing import seals
from routing.conversation import Seal, SealFormat

KEY = b"k" * 32
SEALS = st.builds(
    Seal, format=st.sampled_from(SealFormat), data=st.text(), id=st.text(max_size=9),
    is_redacted=st.booleans(),
)  # fmt: skip


@given(seal=SEALS)
def test_what_was_wrapped_comes_out_the_same(seal):
    text = seals.wrap(seal, key=KEY)
    assert seals.is_envelope(text)
    assert text.isascii()
    assert seals.unwrap(text, key=KEY) == seal


@given(seal=SEALS, at=st.integers(0, 10_000), other=st.characters(codec="ascii"))
def test_an_altered_envelope_does_not_open(seal, at, other):
    text = seals.wrap(seal, key=KEY)
    at = len(seals.PREFIX) + at % (len(text) - len(seals.PREFIX))
    altered = text[:at] + other + text[at + 1 :]
    opened = seals.unwrap(altered, key=KEY)
    # The last character's unused bits say nothing: what opens is what was wrapped.
    assert opened is None or opened == seal


def test_another_accounts_envelope_does_not_open():
    text = seals.wrap(Seal(format=SealFormat.OPENAI, data="x"), key=KEY)
    assert seals.unwrap(text, key=b"o" * 32) is None


@pytest.mark.parametrize("text", ["", "br1.", "br1.é", "br1.====", "br1.AAAA", "br1." + "A" * 99,
                                  "sig", "EqoBCkgIARAB"])  # fmt: skip
def test_what_is_no_envelope_does_not_open(text):
    assert seals.unwrap(text, key=KEY) is None


@given(seal=SEALS)
def test_an_envelope_is_seen_in_a_body_bare_and_in_base64(seal):
    text = seals.wrap(seal, key=KEY)
    packed = base64.b64encode(text.encode()).decode()
    assert seals.are_in(json.dumps({"signature": text}).encode())
    assert seals.are_in(json.dumps({"thoughtSignature": packed}).encode())
    assert not seals.are_in(b'{"signature": "EqoBCkgIARAB", "text": "see br1. here"}')
