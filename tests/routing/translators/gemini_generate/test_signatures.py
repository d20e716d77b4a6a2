"""What stands in thoughtSignature."""

import base64

import pytest

from routing import seals
from routing.conversation import Seal, SealFormat
from routing.translators.gemini_generate import signatures

KEY = b"k" * 32
FOREIGN = Seal(format=SealFormat.OPENAI, data="gAAAA==", id="rs_1", is_redacted=True)


def test_leaves_googles_seal_as_it_is():
    seal = Seal(format=SealFormat.GOOGLE, data="EuABCt0B_-+/=")
    assert signatures.write(seal, key=KEY) == seal.data
    assert signatures.read(seal.data, key=KEY) == seal


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("strip", [b"", b"="])
def test_opens_our_envelope_in_any_spelling_of_base64(encode, strip):
    text = base64.b64decode(signatures.write(FOREIGN, key=KEY))
    assert seals.is_envelope(text.decode())
    echoed = encode(text)
    assert signatures.read((echoed.rstrip(strip) if strip else echoed).decode(), key=KEY) == FOREIGN
    assert signatures.read(text.decode(), key=KEY) == FOREIGN


@pytest.mark.parametrize("damage", ["other key", "cut", "other bytes"])
def test_gives_nothing_for_an_envelope_that_does_not_open(damage):
    text = signatures.write(FOREIGN, key=b"other" if damage == "other key" else KEY)
    if damage == "cut":
        text = text[:40]
    elif damage == "other bytes":
        text = base64.b64encode(b"br1.\xff\x00\xfe").decode()
    assert signatures.read(text, key=KEY) is None


def test_knows_seals_that_only_begin_like_an_envelope():
    text = base64.b64encode(b"br1\x2fother").decode()
    assert signatures.read(text, key=KEY) == Seal(format=SealFormat.GOOGLE, data=text)


@pytest.mark.parametrize("text", ["", signatures.SENTINEL, "skip_thought_signature_validator",
                                  "context_engineering_is_the_way_to_go"])  # fmt: skip
def test_finds_no_seal_where_there_is_none(text):
    assert signatures.read(text, key=KEY) is None


def test_writes_bytes_that_googles_sdk_can_read():
    base64.b64decode(signatures.write(FOREIGN, key=KEY), validate=True)
