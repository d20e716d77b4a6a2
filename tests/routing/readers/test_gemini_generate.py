import orjson
import pytest

from billing.usage import UnitClass
from routing import readers
from routing.conversation import FinishReason
from routing.dialects.base import Quirks
from routing.readers.base import Expectation, Flag, Step
from routing.readers.gemini_generate import FINISHES
from routing.surfaces import Surface

U = UnitClass
USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}


def reader(*, is_stream=True, choices=1):
    return readers.for_surface(
        Surface.GENERATE, Expectation(is_stream=is_stream, choices=choices, quirks=Quirks())
    )


def chunk(*parts, finish=None, index=0, **more):
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": index}
    if finish:
        candidate["finishReason"] = finish
    return b"data: " + orjson.dumps({"candidates": [candidate], **more}) + b"\r\n\r\n"


HELLO = chunk({"text": "hello"}, usageMetadata=USAGE)
FAILURE = b'data: {"error": {"code": 503, "status": "UNAVAILABLE", "message": "x"}}\r\n\r\n'


def steps(one, *events):
    found = [one.read_event(e) for e in events]
    one.end()
    return found


def test_an_ordinary_stream_passes_then_holds():
    one = reader()
    end = chunk({"text": ""}, finish="STOP", usageMetadata={**USAGE, "candidatesTokenCount": 9})
    assert steps(one, HELLO, HELLO, end) == [Step.PASS, Step.PASS, Step.HOLD]
    assert (one.is_complete, one.finish) == (True, FinishReason.STOP)
    assert one.usage.count(U.OUTPUT) == 9
    assert one.take_text() == "hellohello"


def test_only_the_end_of_the_stream_makes_it_complete():
    one = reader()
    one.read_event(chunk({"text": "x"}, finish="STOP"))
    assert not one.is_complete  # grounding and usage may follow
    one.end()
    assert one.is_complete


def test_a_stream_that_ends_without_a_finish_is_not_complete():
    one = reader()
    steps(one, HELLO)
    assert (one.is_complete, one.is_usage_final) == (False, False)


def test_all_candidates_must_finish():
    one = reader(choices=2)
    first = chunk({"text": "a"}, finish="STOP", index=0)
    second = chunk({"text": "b"}, finish="MAX_TOKENS", index=1)
    assert steps(one, first, second) == [Step.PASS, Step.HOLD]


def test_the_first_chunk_may_tell_the_traffic_type_only():
    one = reader()
    only = chunk({"text": ""}, usageMetadata={"trafficType": "ON_DEMAND_FLEX"})
    one.read_event(only)
    assert one.usage is None
    assert not one.has_output
    one.read_event(HELLO)
    assert one.usage.service_tier == "flex"
    assert one.usage.count(U.INPUT) == 10


@pytest.mark.parametrize(
    ("part", "has_output"),
    [
        ({"text": ""}, False),
        ({"text": "", "thoughtSignature": "x"}, False),
        ({"text": "hm", "thought": True}, True),
        ({"functionCall": {"name": "f", "args": {}}}, True),
        ({"inlineData": {"mimeType": "image/png", "data": "AA"}}, True),
        ({"executableCode": {"code": "1"}}, True),
    ],
)
def test_what_counts_as_output(part, has_output):
    one = reader()
    steps(one, chunk(part))
    assert one.has_output is has_output


def test_errors_fail_before_and_amid_output_but_not_after_the_finish():
    for before in ((), (HELLO,)):
        one = reader()
        assert steps(one, *before, FAILURE)[-1] is Step.FAIL
        assert one.error is not None
        assert not one.is_complete
    one = reader()
    assert steps(one, HELLO, chunk({"text": ""}, finish="STOP"), FAILURE)[-1] is Step.HOLD
    assert (one.error, one.flags) == (None, {Flag.LATE_ERROR})


def test_a_blocked_prompt_is_filtered_and_complete():
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": USAGE}
    one = reader()
    assert steps(one, b"data: " + orjson.dumps(blocked) + b"\r\n\r\n") == [Step.HOLD]
    whole = reader(is_stream=False)
    whole.read_body(orjson.dumps(blocked))
    for found in (one, whole):
        assert found.finish is FinishReason.CONTENT_FILTER
        assert found.is_complete
        assert not found.has_output
        assert found.is_usage_final


@pytest.mark.parametrize("native", sorted(FINISHES))
def test_finish_reasons(native):
    one = reader()
    steps(one, chunk({"text": "x"}, finish=native))
    assert one.finish is FINISHES[native]
    assert not one.flags


def test_a_call_with_stop_is_a_call():
    one = reader()
    call = {"functionCall": {"name": "f", "args": {"a": [1, "x"]}}}
    steps(one, chunk(call, finish="STOP"))
    assert one.finish is FinishReason.TOOL_CALLS
    assert one.take_text() == 'f{"a":[1,"x"]}'


@pytest.mark.parametrize(
    ("version", "searches"),
    [("gemini-2.5-flash", 1), ("gemini-3-pro-preview", 3), ("gemini-3.5-flash", 3), ("", 1)],
)
def test_grounding_is_billed_by_the_prompt_or_by_the_query(version, searches):
    grounding = {"webSearchQueries": ["a", "b", "c"]}
    candidate = {"content": {"parts": [{"text": "x"}]}, "groundingMetadata": grounding}
    document = {"candidates": [candidate], "modelVersion": version, "usageMetadata": USAGE}
    event = b"data: " + orjson.dumps(document) + b"\r\n\r\n"
    one = reader()
    steps(one, event, event, chunk(finish="STOP"))
    assert one.usage.count(U.WEB_SEARCH) == searches


def test_a_total_that_does_not_add_up_is_flagged():
    one = reader()
    steps(one, chunk({"text": "x"}, finish="STOP", usageMetadata={**USAGE, "totalTokenCount": 99}))
    assert one.usage.count(U.INPUT, U.OUTPUT) == 15
    assert Flag.TOTAL in one.flags


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error": {"code": 500}}', b'[{"error": 1}]']
)
def test_a_200_without_an_answer_is_an_error(body):
    one = reader(is_stream=False)
    one.read_body(body)
    assert one.error is not None
    assert not one.is_complete


def test_counting_tokens_uses_nothing():
    one = readers.for_surface(Surface.GEMINI_COUNT, Expectation(is_stream=False, quirks=Quirks()))
    one.read_body(b'{"totalTokens": 12}')
    assert (one.is_complete, dict(one.usage.quantities)) == (True, {})
