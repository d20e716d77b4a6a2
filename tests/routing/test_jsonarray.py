"""A streamed JSON array is cut into the same elements however it arrives."""

import itertools
import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.usage import UnitClass
from routing import jsonarray, readers
from routing.conversation import FinishReason
from routing.dialects.base import Quirks
from routing.readers.base import Expectation, Step
from routing.sse import EventTooLarge
from routing.surfaces import Surface

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)
ARRAYS = st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=6)


def elements_of(stream, cuts):
    splitter = jsonarray.Splitter()
    bounds = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    found = [e for a, b in itertools.pairwise(bounds) for e in splitter.feed(stream[a:b])]
    return found, splitter.rest()


@settings(max_examples=500, deadline=None)
@given(ARRAYS, st.lists(st.integers(0, 5_000), max_size=30), st.sampled_from([None, 1, 2]))
def test_gives_the_same_elements_for_any_split(array, cuts, indent):
    stream = json.dumps(array, indent=indent, ensure_ascii=False).encode(errors="surrogatepass")
    found, rest = elements_of(stream, cuts)
    assert (found, rest) == elements_of(stream, [])
    assert (found, rest) == elements_of(stream, range(len(stream)))
    assert b"".join(found) + rest == stream
    assert len(found) == len(array)
    assert [json.loads(element.strip(b"[, \r\n")) for element in found] == array
    assert rest.strip() == (b"]" if array else rest.strip())


def test_an_element_leaves_with_its_last_byte():
    splitter = jsonarray.Splitter()
    assert splitter.feed(b'[{"a": "}"') == []
    assert splitter.feed(b"}") == [b'[{"a": "}"}']
    assert splitter.feed(b"\n,\r\n{}") == [b"\n,\r\n{}"]
    assert splitter.feed(b"\n]\n") == []
    assert splitter.rest() == b"\n]\n"


def test_refuses_an_element_over_the_limit():
    splitter = jsonarray.Splitter(20)
    assert splitter.feed(b'[{"a": 1}') == [b'[{"a": 1}']
    with pytest.raises(EventTooLarge):
        splitter.feed(b',{"a": "' + b"x" * 30)


def part(text, finish=None):
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    usage = {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}
    return {"candidates": [candidate], "usageMetadata": usage}


def test_gemini_without_sse_is_read_element_by_element():
    stream = b"[" + b"\n,\r\n".join(map(orjson.dumps, [part("he"), part("llo", "STOP")])) + b"\n]"
    for size in (1, 7, 10_000):
        expectation = Expectation(is_stream=True, quirks=Quirks())
        reader = readers.for_surface(Surface.GENERATE, expectation)
        splitter = jsonarray.Splitter()
        steps = [
            reader.read_event(element)
            for at in range(0, len(stream), size)
            for element in splitter.feed(stream[at : at + size])
        ]
        steps.append(reader.read_event(splitter.rest()))
        reader.end()
        assert steps == [Step.PASS, Step.HOLD, Step.HOLD]
        assert reader.is_complete
        assert reader.finish is FinishReason.STOP
        assert reader.take_text() == "hello"
        assert dict(reader.usage.quantities) == {UnitClass.INPUT: 7, UnitClass.OUTPUT: 3}


def test_gemini_without_sse_may_arrive_as_one_body():
    expectation = Expectation(is_stream=True, quirks=Quirks())
    reader = readers.for_surface(Surface.GENERATE, expectation)
    reader.read_body(orjson.dumps([part("he"), part("llo", "STOP")]))
    assert (reader.is_complete, reader.finish) == (True, FinishReason.STOP)
    assert reader.take_text() == "hello"
