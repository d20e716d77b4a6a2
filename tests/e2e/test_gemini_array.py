"""Gemini's stream without `alt=sse` is one JSON array: it streams, too, and stays JSON."""

import dataclasses
import json

import pytest

from tests.e2e.serving import GENERATE, Serving
from tests.emulator import Script

pytestmark = pytest.mark.process

ARRAY = dataclasses.replace(GENERATE, stream_path=GENERATE.stream_path.removesuffix("?alt=sse"))
USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}


def piece(text, **more):
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0, **more}
    return {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": "gemini-x"}


PIECES = [piece("eins"), piece("zwei"), piece("drei", finishReason="STOP")]
CHUNKS = [
    b"[" + json.dumps(PIECES[0]).encode(),
    b",\r\n" + json.dumps(PIECES[1]).encode(),
    b",\r\n" + json.dumps(PIECES[2]).encode(),
    b"]",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Serving(tmp_path_factory.mktemp("array"), names=("main", "cut")).start()
    yield place
    place.gateway.manage("audit_ledger")
    place.stop()


def test_elements_leave_one_by_one_and_byte_for_byte(place):
    place.vendor.scripts["g-main"] = Script(chunks=CHUNKS, is_chunked=True, gap_s=0.3)
    tap = place.open_stream(ARRAY)
    first_s = tap.read_until(b"eins")
    tap.read_all()
    assert tap.body == b"".join(CHUNKS)
    assert json.loads(tap.body) == PIECES
    assert first_s < tap.parts[-1][0] - 0.5
    assert place.logged(tap.headers["x-generation-id"])[0] == 200


def test_a_stream_that_breaks_is_still_one_json_array(place):
    place.vendor.scripts["g-cut"] = Script(chunks=CHUNKS[:2], is_chunked=True, end="cut")
    tap = place.open_stream(ARRAY, "cut").read_all()
    *whole, last = json.loads(tap.body)
    assert whole == PIECES[:2]
    assert last["error"]["details"][0]["reason"] == "STREAM_INTERRUPTED"


def test_a_refusal_is_a_plain_object(place):
    answer = place.call(ARRAY, "nobody", is_stream=True)
    assert answer.status == 404
    assert answer.json["error"]["status"] == "NOT_FOUND"
