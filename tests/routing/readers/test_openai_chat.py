import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.usage import TOKEN_CLASSES, UnitClass
from routing import readers
from routing.conversation import FinishReason
from routing.dialects.base import Quirks
from routing.errors import Code
from routing.readers import counts
from routing.readers.base import Expectation, Flag, Step
from routing.surfaces import Surface

U = UnitClass


def reader(*, is_stream=True, choices=1, quirks=None, **more):
    return readers.for_surface(
        Surface.CHAT,
        Expectation(is_stream=is_stream, choices=choices, quirks=quirks or Quirks(), **more),
    )


def event(document):
    return b"data: " + orjson.dumps(document) + b"\n\n"


def chunk(delta=None, finish=None, index=0, **more):
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return event({"id": "x", "choices": [choice], **more})


def usage_chunk(prompt=10, completion=5, **more):
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, **more}
    return event({"choices": [], "usage": usage})


HELLO = chunk({"content": "hello"})
STOP = chunk(finish="stop")
DONE = b"data: [DONE]\n\n"
FAILURE = event({"error": {"message": "overloaded", "code": 503}})


def steps(one, *events):
    found = [one.read_event(e) for e in events]
    one.end()
    return found


def test_an_ordinary_stream_passes_then_holds():
    one = reader()
    events = (chunk({"role": "assistant", "content": ""}), HELLO, HELLO, STOP, usage_chunk(), DONE)
    assert steps(one, *events) == [Step.PASS] * 3 + [Step.HOLD] * 3
    assert (one.finish, one.is_complete, one.has_output) == (FinishReason.STOP, True, True)
    assert dict(one.usage.quantities) == {U.INPUT: 10, U.OUTPUT: 5}
    assert one.take_text() == "hellohello"


def test_a_role_alone_is_no_output():
    one = reader()
    one.read_event(chunk({"role": "assistant", "content": ""}))
    assert not one.has_output
    one.read_event(b": keep-alive\n\n")
    assert not one.has_output
    one.read_event(HELLO)
    assert one.has_output


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"refusal": "no"},
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]},
        {"function_call": {"name": "f", "arguments": ""}},
        {"content": [{"type": "text", "text": "hm"}]},
        {"audio": {"data": "AAAA"}},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
    ],
)
def test_all_kinds_of_output_count(delta):
    one = reader()
    assert one.read_event(chunk(delta)) is Step.PASS
    assert one.has_output


@pytest.mark.parametrize("done", [(DONE,), ()])
def test_the_last_marker_may_be_missing(done):
    one = reader()
    steps(one, HELLO, STOP, *done)
    assert one.is_complete
    assert one.error is None


def test_a_stream_that_ends_without_a_finish_is_not_complete():
    one = reader()
    steps(one, HELLO, HELLO)
    assert not one.is_complete
    assert one.finish is None
    assert not one.is_usage_final


def test_a_marker_without_any_finish_means_stop_when_there_was_output():
    one = reader()
    steps(one, HELLO, DONE)
    assert (one.is_complete, one.finish) == (True, FinishReason.STOP)


def test_a_marker_after_nothing_is_no_answer():
    one = reader()
    steps(one, DONE)
    assert (one.is_complete, one.finish, one.has_output) == (False, None, False)


def test_holds_only_when_every_choice_has_finished():
    one = reader(choices=2)
    events = (HELLO, chunk({"content": "b"}, index=1), STOP, chunk({"content": "c"}, index=1))
    end = chunk(finish="length", index=1)
    assert steps(one, *events, end) == [*[Step.PASS] * 4, Step.HOLD]
    assert one.finish is FinishReason.STOP


def test_one_finished_choice_of_two_is_not_complete():
    one = reader(choices=2)
    steps(one, HELLO, chunk({"content": "b"}, index=1), STOP)
    assert (one.is_complete, one.finish, one.is_usage_final) == (False, None, False)


def test_a_vendor_that_ignores_n_gives_a_whole_answer():
    for events in ((HELLO, STOP), (HELLO, STOP, DONE)):
        one = reader(choices=2)
        steps(one, *events)
        assert (one.is_complete, one.finish) == (True, FinishReason.STOP)


def test_a_second_finish_is_ignored_and_its_usage_counts():
    one = reader()
    again = chunk(finish="length", usage={"prompt_tokens": 3, "completion_tokens": 4})
    assert steps(one, HELLO, STOP, again, DONE) == [Step.PASS, Step.HOLD, Step.HOLD, Step.HOLD]
    assert one.finish is FinishReason.STOP
    assert one.usage.count(U.INPUT, U.OUTPUT) == 7


def test_the_unwanted_usage_chunk_is_swallowed_and_read():
    one = reader(wants_stream_usage=False)
    assert steps(one, HELLO, STOP, usage_chunk(), DONE)[2] is Step.SWALLOW
    assert one.usage.count(U.INPUT) == 10


def test_usage_beside_content_is_not_swallowed():
    one = reader(wants_stream_usage=False)
    both = chunk({"content": "x"}, usage={"prompt_tokens": 1, "completion_tokens": 1})
    assert steps(one, HELLO, both)[1] is Step.PASS
    assert one.usage is not None
    assert not one.is_usage_final


def test_an_error_before_output_fails():
    one = reader()
    assert steps(one, b": hi\n\n", FAILURE) == [Step.PASS, Step.FAIL]
    assert one.error.code is Code.UPSTREAM_OVERLOADED
    assert one.error.is_retryable
    assert (one.is_complete, one.finish, one.has_output) == (False, None, False)


def test_an_error_amid_output_fails_and_its_usage_is_read():
    one = reader()
    failure = event({"error": {"message": "x"}, "usage": {"prompt_tokens": 9}, "choices": []})
    assert steps(one, HELLO, failure, DONE) == [Step.PASS, Step.FAIL, Step.HOLD]
    assert (one.is_complete, one.finish) == (False, None)
    assert one.usage.count(U.INPUT) == 9


def test_an_error_after_the_finish_changes_nothing():
    one = reader()
    assert steps(one, HELLO, STOP, FAILURE, DONE) == [Step.PASS] + [Step.HOLD] * 3
    assert (one.error, one.finish, one.is_complete) == (None, FinishReason.STOP, True)
    assert one.flags == {Flag.LATE_ERROR}


def test_one_finished_choice_of_two_is_no_finish_when_the_other_fails():
    one = reader(choices=2)
    assert steps(one, HELLO, STOP, FAILURE)[-1] is Step.FAIL
    assert (one.finish, one.is_complete) == (None, False)


def test_a_finish_of_error_is_an_error():
    one = reader()
    assert steps(one, HELLO, chunk({"content": ""}, finish="error"))[-1] is Step.FAIL
    assert one.error is not None
    assert one.finish is None


@pytest.mark.parametrize(
    "garbage",
    [
        b"<html>502 Bad Gateway</html>\n\n",
        b"data: <html>\n\n",
        b'data: {"choices": [\n\n',
        b"data: 12\n\n",
        b"data: []\n\n",
        b"data: \xff\xfe\n\n",
        b"data: null\n\n",
    ],
)
def test_garbage_before_output_never_passes(garbage):
    one = reader()
    step = one.read_event(garbage)
    if one.error is None:  # no data line at all: to SSE it is nothing
        assert step is Step.PASS
        assert not one.has_output
        one.end()
        assert not one.is_complete
    else:
        assert step is Step.FAIL
        assert one.error.code is Code.UPSTREAM_INVALID


def test_half_an_event_amid_output_fails():
    one = reader()
    assert steps(one, HELLO, b'data: {"choices": [{"delta": {"con')[-1] is Step.FAIL
    assert one.error is not None


def test_text_that_is_no_utf8_amid_output_is_passed_and_not_counted():
    one = reader()
    steps(one, HELLO, b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n', HELLO)
    assert one.take_text() == "hellohello"


def test_an_unknown_finish_is_flagged_and_named_other():
    one = reader()
    steps(one, HELLO, chunk(finish="tired"))
    assert one.finish is FinishReason.OTHER
    assert Flag.UNKNOWN_FINISH in one.flags


def test_a_refusal_is_told_from_a_stop():
    one = reader()
    steps(one, HELLO, chunk({"refusal": "I cannot"}), STOP)
    assert one.finish is FinishReason.REFUSAL
    assert "I cannot" in one.take_text()


def test_pieces_of_arguments_are_text():
    one = reader()
    call = {"index": 0, "id": "a", "function": {"name": "find", "arguments": '{"q"'}}
    rest = {"index": 0, "function": {"arguments": ': "x"}'}}
    steps(one, chunk({"tool_calls": [call]}), chunk({"tool_calls": [rest]}), STOP)
    assert one.take_text() == 'find{"q": "x"}'
    assert one.finish is FinishReason.TOOL_CALLS


def test_text_comes_once_and_in_full_however_often_it_is_taken():
    one = reader()
    taken = ""
    for n in range(2_000):
        one.read_event(chunk({"content": f"<{n}é>"}))
        if n % 300 == 7:
            taken += one.take_text()
    assert taken + one.take_text() == "".join(f"<{n}é>" for n in range(2_000))


def test_little_is_kept_of_a_long_stream():
    one = reader()
    for _ in range(5_000):
        one.read_event(HELLO)
    assert one._kept_bytes < 32 * 1024


def test_the_tier_of_the_answer_counts():
    one = reader()
    steps(one, HELLO, chunk(finish="stop", service_tier="flex"), usage_chunk())
    assert one.usage.service_tier == "flex"


def test_an_unknown_tier_is_standard_and_flagged():
    one = reader()
    steps(one, HELLO, chunk(finish="stop", service_tier="platinum"), usage_chunk())
    assert one.usage.service_tier == "standard"
    assert Flag.UNKNOWN_TIER in one.flags


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>busy</html>",
        b"[]",
        b"null",
        b'{"error": "busy"}',
        b'{"error": {"message": "busy"}}',
        b'{"object": "error", "message": "busy"}',
        b'{"detail": "busy"}',
        b'{"base_resp": {"status_code": 1002, "status_msg": "rate"}}',
    ],
)
def test_a_200_without_an_answer_is_an_error(body):
    one = reader(is_stream=False)
    one.read_body(body)
    assert one.error is not None
    assert (one.is_complete, one.has_output, one.finish, one.usage) == (False, False, None, None)


def test_an_answer_with_a_null_error_is_an_answer():
    one = reader(is_stream=False)
    message = {"role": "assistant", "content": "hi"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    one.read_body(orjson.dumps({"error": None, "choices": [choice]}))
    assert (one.error, one.is_complete, one.take_text()) == (None, True, "hi")


def usage_of(raw, *, quirks=None, flags=None):
    one = reader(is_stream=False, quirks=quirks)
    choice = {"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}
    one.read_body(json.dumps({"choices": [choice], "usage": raw}).encode())
    if flags is not None:
        flags |= one.flags
    return one.usage


@pytest.mark.parametrize("raw", [None, {}, [], "12", 7])
def test_no_usage_is_none(raw):
    assert usage_of(raw) is None


OUTSIDE = Quirks(reasoning_outside=True)


@pytest.mark.parametrize(
    ("quirks", "reasoning", "total", "visible", "is_flagged"),
    [
        (Quirks(), 30, 150, 20, False),  # inside, as the rule says and the total agrees
        (Quirks(), 30, None, 20, False),
        (Quirks(), 30, 999, 20, False),  # a total that proves nothing
        (Quirks(), 30, 180, 50, True),  # the total adds up only with reasoning outside
        (Quirks(), 70, 150, 50, True),  # more than its whole
        (OUTSIDE, 30, 180, 50, False),
        (OUTSIDE, 30, None, 50, False),
        (OUTSIDE, 30, 150, 20, True),  # the vendor changed its mind: nobody pays twice
        (OUTSIDE, 70, 150, 50, False),
        (OUTSIDE, 0, 150, 50, False),
    ],
)
def test_reasoning_inside_or_outside(quirks, reasoning, total, visible, is_flagged):
    flags = set()
    raw = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": total,
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    usage = usage_of(raw, quirks=quirks, flags=flags)
    assert usage.count(U.OUTPUT) == visible
    assert usage.count(U.REASONING) == reasoning
    assert (Flag.OUTSIDE in flags) is is_flagged


def test_rejected_predictions_are_billed_output():
    raw = {
        "prompt_tokens": 1,
        "completion_tokens": 50,
        "completion_tokens_details": {
            "accepted_prediction_tokens": 20,
            "rejected_prediction_tokens": 10,
        },
    }
    assert usage_of(raw).count(U.OUTPUT) == 50


def test_audio_and_images_on_both_sides():
    raw = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"audio_tokens": 30, "image_tokens": 20, "video_tokens": 10},
        "completion_tokens_details": {"audio_tokens": 5, "image_tokens": 6},
    }
    assert dict(usage_of(raw).quantities) == {
        U.INPUT: 40,
        U.AUDIO_INPUT: 30,
        U.IMAGE_INPUT: 20,
        U.VIDEO_INPUT: 10,
        U.OUTPUT: 39,
        U.AUDIO_OUTPUT: 5,
        U.IMAGE_OUTPUT: 6,
    }


@pytest.mark.parametrize(
    ("told", "counted"),
    [
        (12.0, 12),
        (12.7, 12),
        (-3, 0),
        (-3.5, 0),
        ("12", 0),
        (True, 0),
        ([1], 0),
        (10**18, counts.COUNT_MAX),
        (1e18, counts.COUNT_MAX),
        (10**30, counts.COUNT_MAX),
    ],
)
def test_numbers_that_are_none_are_clamped(told, counted):
    flags = set()
    usage = usage_of({"prompt_tokens": told, "completion_tokens": 1}, flags=flags)
    assert usage.count(U.INPUT) == counted
    assert (Flag.BAD_NUMBER in flags) is (told != 12.0)


def test_strings_never_reach_the_record():
    raw = {
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "secret prompt": 7,
        "total_tokens": "secret",
        "prompt_tokens_details": {"cached_tokens": 1, "secret_tokens": 2, "audio_tokens": True},
    }
    assert json.loads(usage_of(raw).raw) == {
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 1},
    }


NUMBERS = st.one_of(
    st.none(),
    st.integers(-5, 5_000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([10**18, -(10**18), "7", True, [], {}]),
)
COUNTS = st.integers(0, 5_000)


def raw_usages(number):
    prompt = st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens"), number
        ),
    )
    completion = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("reasoning_tokens", "audio_tokens"), number)
    )
    return st.fixed_dictionaries(
        {"prompt_tokens": number, "completion_tokens": number},
        optional={
            "total_tokens": number,
            "prompt_cache_hit_tokens": number,
            "num_cached_tokens": number,
            "cache_creation_input_tokens": number,
            "prompt_tokens_details": prompt,
            "completion_tokens_details": completion,
        },
    )


@settings(max_examples=1_000, deadline=None)
@given(raw_usages(NUMBERS), st.booleans(), st.booleans())
def test_no_usage_breaks_the_reader(raw, reasoning_outside, audio_outside):
    quirks = Quirks(reasoning_outside=reasoning_outside, audio_outside=audio_outside)
    usage = usage_of(raw, quirks=quirks)
    assert all(type(n) is int and n > 0 for n in usage.quantities.values())


@settings(max_examples=1_000, deadline=None)
@given(raw_usages(COUNTS))
def test_the_classes_of_a_side_sum_to_what_the_vendor_bills(raw):
    usage = usage_of(raw)
    audio = raw.get("prompt_tokens_details", {}).get("audio_tokens", 0)
    reasoning = raw.get("completion_tokens_details", {}).get("reasoning_tokens", 0)
    assert usage.prompt_tokens in (raw["prompt_tokens"], raw["prompt_tokens"] + audio)
    completion = raw["completion_tokens"]
    assert usage.completion_tokens in (completion, completion + reasoning)
    assert set(usage.quantities) <= TOKEN_CLASSES
