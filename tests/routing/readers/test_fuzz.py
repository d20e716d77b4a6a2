"""No bytes that a vendor may send break a reader."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import readers
from routing.dialects.base import Quirks
from routing.readers.base import Expectation, Step
from routing.surfaces import Surface
from tests.routing.readers import wire

SURFACES = [
    Surface.CHAT,
    Surface.RESPONSES,
    Surface.INPUT_TOKENS,
    Surface.COMPACT,
    Surface.EMBEDDINGS,
    Surface.IMAGES,
    Surface.SPEECH,
    Surface.TRANSCRIPTIONS,
    Surface.MODERATIONS,
    Surface.RERANK,
    Surface.MESSAGES,
    Surface.COUNT_TOKENS,
    Surface.GENERATE,
    Surface.GEMINI_COUNT,
    Surface.GEMINI_EMBED,
]
ODDITIES = [None, True, -1, 10**18, 1.5, "", "x", [], [None], [[]], {}, {"a": 1}, [{"type": 3}]]
ROUNDS = 12


def read(surface, events, *, body=None):
    """Use all of a reader's interface, and check what must hold whatever comes."""
    is_stream = body is None
    expectation = Expectation(is_stream=is_stream, quirks=Quirks())
    reader = readers.for_surface(surface, expectation)
    if body is not None:
        reader.read_body(body)
    held = False
    for event in events:
        step = reader.read_event(event)
        assert isinstance(step, Step)
        assert (step is Step.FAIL) <= (reader.error is not None)
        assert not (held and step is Step.PASS), "something passes after the end"
        held = held or step is Step.HOLD
    reader.end()
    assert isinstance(reader.take_text(), str)
    assert not (reader.error is not None and (reader.is_complete or reader.finish is not None))
    if reader.usage is not None:
        assert all(type(n) is int and n > 0 for n in reader.usage.quantities.values())
        assert reader.usage.raw is None or len(reader.usage.raw) < 4_000
    assert reader.is_usage_final in (True, False)


@pytest.mark.parametrize("surface", SURFACES)
@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=60)), st.binary(max_size=200))
def test_any_bytes(surface, events, body):
    read(surface, [b"data: " + event + b"\n\n" for event in events])
    read(surface, events)
    read(surface, [], body=body)


def mutate(value, dice):
    """Put something odd somewhere into a JSON value, or take something out."""
    if not isinstance(value, dict | list) or not value or dice.random() < 0.2:
        return dice.choice(ODDITIES)
    if isinstance(value, list):
        at = dice.randrange(len(value))
        return [*value[:at], mutate(value[at], dice), *value[at + 1 :]]
    name = dice.choice(list(value))
    if dice.random() < 0.2:
        return {other: item for other, item in value.items() if other != name}
    return {**value, name: mutate(value[name], dice)}


def test_recorded_answers_with_something_odd_in_them():
    dice = random.Random(7)
    played = 0
    for case in wire.cases():
        if case.status != 200 or len(case.body) > 60_000:
            continue
        documents = case.documents()
        for _ in range(ROUNDS if case.is_sse else 4):
            at = dice.randrange(len(documents))
            odd = [*documents[:at], mutate(documents[at], dice), *documents[at + 1 :]]
            texts = [json.dumps(document).encode() for document in odd]
            if case.is_sse:
                read(case.surface, [b"data: " + text + b"\n\n" for text in texts])
            else:
                read(case.surface, [], body=texts[0])
            played += 1
    assert played > 3_000


def test_recorded_streams_cut_short_are_never_complete_before_their_finish():
    for case in wire.cases():
        if not case.is_sse or case.status != 200 or len(case.body) > 100_000:
            continue
        steps = wire.play(case.reader(), case)
        finish = next(i for i, (_, step) in enumerate(steps) if step is Step.HOLD)
        reader = case.reader()
        for event, _ in steps[:finish]:
            reader.read_event(event)
        reader.end()
        assert not reader.is_complete, case.id
        assert reader.finish is None, case.id
        assert not reader.is_usage_final, case.id
