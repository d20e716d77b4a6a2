"""Any way of cutting a stream gives the same events, and loses no byte."""

import itertools
import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from routing import sse

LINES = st.sampled_from(
    [
        b"data: {}",
        b"data:x",
        b"data",
        "data: é漢字🍌".encode(),
        b": OPENROUTER PROCESSING",
        b"event: ping",
        b"id: 1",
        b"",
        b"garbage",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
STREAMS = st.lists(st.tuples(LINES, ENDS), max_size=30).map(
    lambda pairs: b"".join(line + end for line, end in pairs)
)


def events_of(stream: bytes, cuts: list[int], limit: int = sse.EVENT_BYTES_MAX) -> list[bytes]:
    splitter = sse.Splitter(limit)
    bounds = [0, *sorted(c % (len(stream) + 1) for c in cuts), len(stream)]
    events = [
        event
        for start, stop in itertools.pairwise(bounds)
        for event in splitter.feed(stream[start:stop])
    ]
    return [*events, splitter.rest()]


def data_by_the_standard(stream: bytes) -> list[bytes]:
    """The HTML standard's algorithm over the whole stream, line by line."""
    found: list[bytes] = []
    data: list[bytes] = []
    for line in re.split(rb"\r\n|\n|\r", stream.removeprefix(sse.BOM)):
        if not line:
            if data:
                found.append(b"\n".join(data))
            data = []
        elif line == b"data" or line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
    return found


@settings(max_examples=600, deadline=None)
@given(STREAMS, st.lists(st.integers(0, 1000), max_size=40))
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", list(range(23)))
@example(b"data: a\r\rdata: b\r\n\rdata: c\n\r\n", list(range(30)))
def test_gives_the_same_events_for_any_split(stream, cuts):
    whole = events_of(stream, [])
    assert events_of(stream, cuts) == whole
    assert events_of(stream, list(range(len(stream)))) == whole
    assert b"".join(whole) == stream


@settings(max_examples=400, deadline=None)
@given(STREAMS)
def test_data_is_what_the_standard_says(stream):
    *events, _ = events_of(stream + b"\n\n", [])
    data = [sse.data_of(event) for event in events]
    assert [d for d in data if d] == [d for d in data_by_the_standard(stream + b"\n\n") if d]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(0, 1000), max_size=20))
def test_any_bytes_survive(stream, cuts):
    assert events_of(stream, cuts) == events_of(stream, [])
    assert b"".join(events_of(stream, cuts)) == stream


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_an_event_leaves_with_its_last_byte(end):
    splitter = sse.Splitter()
    event = b"data: 1" + end + end
    assert splitter.feed(event[:-1]) == []
    assert splitter.feed(event[-1:]) == [event]
    assert splitter.feed(event) == [event]
    assert splitter.rest() == b""


def test_one_whole_event_is_passed_on_without_a_copy():
    chunk = b'data: {"a": 1}\n\n'
    assert sse.Splitter().feed(chunk)[0] is chunk


def test_several_events_in_one_chunk_are_several():
    chunk = b"data: 1\n\n: ping\n\nevent: a\ndata: 2\n\ndata: 3"
    splitter = sse.Splitter()
    assert splitter.feed(chunk) == [b"data: 1\n\n", b": ping\n\n", b"event: a\ndata: 2\n\n"]
    assert splitter.rest() == b"data: 3"


def test_a_character_cut_in_two_is_whole_again():
    text = 'data: {"t": "€"}\n\n'.encode()
    middle = text.index("€".encode()) + 1
    splitter = sse.Splitter()
    assert splitter.feed(text[:middle]) == []
    (event,) = splitter.feed(text[middle:])
    assert json.loads(sse.data_of(event)) == {"t": "€"}


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: a\n\n", b"a"),
        (b"data:a\n\n", b"a"),
        (b"data:  a \n\n", b" a "),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"data: a\r\n\r\n", b"a"),
        (b"data: a\rb\n\r\n\r\n", b"a"),
        (b"data: a\r\ndata:b\r\n\r\n", b"a\nb"),
        (b"data: a\rdata: b\r\r", b"a\nb"),
        (b"event: x\nid: 3\ndata: a\nretry: 1\n\n", b"a"),
        (b": comment\n\n", b""),
        (b": comment\ndata: a\n\n", b"a"),
        (b"\xef\xbb\xbfdata: a\n\n", b"a"),
        (b"\n\ndata: a\n\n", b"a"),
        (b"data: a", b"a"),
        (b"dataset: a\n\n", b""),
        (b"data: a\rb\n\n", b"a"),
    ],
)
def test_data_of(event, data):
    assert sse.data_of(event) == data


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_refuses_an_event_over_the_limit_after_those_before_it(size):
    stream = b"data: 1\n\ndata: 2\n\n" + b"data: " + b"x" * 100 + b"\n\n" + b"data: 4\n\n"
    splitter = sse.Splitter(64)
    events = []

    def feed_all():
        for start in range(0, len(stream) + size, size):
            events.extend(splitter.feed(stream[start : start + size]))
        splitter.feed(b"")

    with pytest.raises(sse.EventTooLarge):
        feed_all()
    assert events == [b"data: 1\n\n", b"data: 2\n\n"]


def test_takes_an_event_of_exactly_the_limit():
    event = b"data: " + b"x" * 10 + b"\n\n"
    assert sse.Splitter(len(event)).feed(event) == [event]
    with pytest.raises(sse.EventTooLarge):
        sse.Splitter(len(event) - 1).feed(event)


def test_a_large_event_in_small_chunks_costs_no_quadratic_time():
    event = b"data: " + b"x" * 2_000_000 + b"\n\n"
    splitter = sse.Splitter()
    events = []
    for start in range(0, len(event), 16):
        events += splitter.feed(event[start : start + 16])
    assert events == [event]
