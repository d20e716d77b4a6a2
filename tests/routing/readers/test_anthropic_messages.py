import orjson
import pytest

from billing.usage import UnitClass
from routing import readers
from routing.conversation import FinishReason
from routing.dialects.base import Quirks
from routing.errors import Code
from routing.readers.base import Expectation, Flag, Step
from routing.surfaces import Surface

U = UnitClass


def reader(*, is_stream=True):
    return readers.for_surface(Surface.MESSAGES, Expectation(is_stream=is_stream, quirks=Quirks()))


def event(kind, **fields):
    data = orjson.dumps({"type": kind, **fields})
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def start(**usage):
    told = {"input_tokens": 10, "output_tokens": 1, **usage}
    return event("message_start", message={"id": "m", "content": [], "usage": told})


def delta(**fields):
    return event("content_block_delta", index=0, delta=fields)


def end(reason="end_turn", **usage):
    told = {"output_tokens": 20, **usage}
    return event("message_delta", delta={"stop_reason": reason}, usage=told)


OPEN = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
TEXT = delta(type="text_delta", text="hello")
PING = event("ping")
CLOSE = event("content_block_stop", index=0)
STOP = event("message_stop")
FAILURE = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


def steps(one, *events):
    found = [one.read_event(e) for e in events]
    one.end()
    return found


def test_an_ordinary_stream_passes_then_holds():
    one = reader()
    found = steps(one, start(), OPEN, PING, TEXT, TEXT, CLOSE, end(), STOP)
    assert found == [Step.PASS] * 6 + [Step.HOLD] * 2
    assert (one.is_complete, one.finish) == (True, FinishReason.STOP)
    assert dict(one.usage.quantities) == {U.INPUT: 10, U.OUTPUT: 20}
    assert one.take_text() == "hellohello"


def test_the_start_tells_the_input_early_but_nothing_final():
    one = reader()
    steps(one, start(cache_read_input_tokens=5), OPEN, PING)
    assert one.usage.count(U.CACHE_READ) == 5
    assert not one.is_usage_final
    assert not one.has_output
    assert not one.is_complete


def test_a_finish_without_its_last_event_is_whole():
    one = reader()
    steps(one, start(), OPEN, TEXT, end())
    assert one.is_complete
    assert one.is_usage_final


def test_a_finish_without_usage_has_no_final_usage():
    one = reader()
    bare = event("message_delta", delta={"stop_reason": "end_turn"})
    steps(one, start(), OPEN, TEXT, bare, STOP)
    assert one.is_complete
    assert not one.is_usage_final


@pytest.mark.parametrize(
    ("events", "has_output"),
    [
        ([delta(type="text_delta", text="")], False),
        ([delta(type="input_json_delta", partial_json="")], False),
        ([delta(type="thinking_delta", thinking="hm")], True),
        ([delta(type="signature_delta", signature="abc")], True),
        (
            [
                event(
                    "content_block_start", index=0, content_block={"type": "tool_use", "name": "f"}
                )
            ],
            True,
        ),
        (
            [
                event(
                    "content_block_start",
                    index=0,
                    content_block={"type": "redacted_thinking", "data": "x"},
                )
            ],
            True,
        ),
    ],
)
def test_what_counts_as_output(events, has_output):
    one = reader()
    steps(one, start(), *events)
    assert one.has_output is has_output


def test_an_error_before_output_fails():
    one = reader()
    assert steps(one, start(), PING, FAILURE)[-1] is Step.FAIL
    assert one.error.code is Code.UPSTREAM_OVERLOADED
    assert (one.finish, one.has_output) == (None, False)


def test_an_error_after_the_finish_changes_nothing():
    one = reader()
    assert steps(one, start(), OPEN, TEXT, end(), FAILURE)[-1] is Step.HOLD
    assert (one.error, one.is_complete, one.flags) == (None, True, {Flag.LATE_ERROR})


@pytest.mark.parametrize(
    ("native", "finish"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("max_tokens", FinishReason.LENGTH),
        ("model_context_window_exceeded", FinishReason.LENGTH),
        ("tool_use", FinishReason.TOOL_CALLS),
        ("refusal", FinishReason.REFUSAL),
        ("pause_turn", FinishReason.PAUSE),
        ("compaction", FinishReason.PAUSE),
        ("novelty", FinishReason.OTHER),
    ],
)
def test_stop_reasons(native, finish):
    one = reader()
    steps(one, start(), OPEN, TEXT, end(native), STOP)
    assert one.finish is finish
    body = {"type": "message", "content": [{"type": "text", "text": "x"}], "stop_reason": native}
    whole = reader(is_stream=False)
    whole.read_body(orjson.dumps(body))
    assert whole.finish is finish


def test_events_without_names_are_read_by_their_type():
    one = reader()
    events = [e.partition(b"\n")[2] for e in (start(), OPEN, TEXT, end(), STOP)]
    assert steps(one, *events)[-2:] == [Step.HOLD, Step.HOLD]
    assert one.take_text() == "hello"


def test_carriage_returns_are_line_ends_like_others():
    one = reader()
    events = [e.replace(b"\n", b"\r\n") for e in (start(), OPEN, TEXT, TEXT, end(), STOP)]
    assert steps(one, *events) == [Step.PASS] * 4 + [Step.HOLD] * 2
    assert one.take_text() == "hellohello"


@pytest.mark.parametrize(
    ("usage", "classes"),
    [
        (
            {"cache_creation_input_tokens": 9},
            {U.CACHE_WRITE_5M: 9},
        ),
        (
            {
                "cache_creation_input_tokens": 9,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 4,
                    "ephemeral_1h_input_tokens": 5,
                },
            },
            {U.CACHE_WRITE_5M: 4, U.CACHE_WRITE_1H: 5},
        ),
        (
            {"cache_creation": {"ephemeral_1h_input_tokens": 5}},
            {U.CACHE_WRITE_1H: 5},
        ),
        (  # the total grew after the lifetimes were told
            {
                "cache_creation_input_tokens": 9,
                "cache_creation": {"ephemeral_1h_input_tokens": 5},
            },
            {U.CACHE_WRITE_1H: 5, U.CACHE_WRITE_5M: 4},
        ),
        (
            {"server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 3}},
            {U.WEB_SEARCH: 2, U.WEB_FETCH: 3},
        ),
        ({"output_tokens_details": {"thinking_tokens": 8}}, {U.OUTPUT: 12, U.REASONING: 8}),
        ({"output_tokens_details": {"thinking_tokens": 25}}, {U.OUTPUT: 0, U.REASONING: 20}),
        ({"cache_read_input_tokens": None}, {}),
        ({"cache_read_input_tokens": -4}, {}),
    ],
)
def test_classes(usage, classes):
    one = reader()
    steps(one, start(), OPEN, TEXT, end(**usage), STOP)
    expected = {U.INPUT: 10, U.OUTPUT: 20, **classes}
    assert dict(one.usage.quantities) == {c: n for c, n in expected.items() if n}


@pytest.mark.parametrize(
    "body",
    [
        {"type": "error", "error": {"type": "api_error", "message": "x"}},
        {"message": "odd"},
        {},
    ],
)
def test_a_200_without_an_answer_is_an_error(body):
    one = reader(is_stream=False)
    one.read_body(orjson.dumps(body))
    assert one.error is not None
    assert not one.is_complete


def test_counting_tokens_uses_nothing():
    one = readers.for_surface(Surface.COUNT_TOKENS, Expectation(is_stream=False, quirks=Quirks()))
    one.read_body(b'{"input_tokens": 12}')
    assert (one.is_complete, dict(one.usage.quantities), one.flags) == (True, {}, set())
