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
USAGE = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


def reader(*, is_stream=True):
    return readers.for_surface(Surface.RESPONSES, Expectation(is_stream=is_stream, quirks=Quirks()))


def event(kind, **fields):
    data = orjson.dumps({"type": kind, **fields})
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def answer(status="completed", output=(), **fields):
    return {"id": "r", "status": status, "error": None, "output": list(output), **fields}


MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": "hello"}]}
CREATED = event("response.created", response=answer("in_progress", service_tier="auto"))
DELTA = event("response.output_text.delta", delta="hello", item_id="i")
DONE = event("response.completed", response=answer(output=[MESSAGE], usage=USAGE))


def steps(one, *events):
    found = [one.read_event(e) for e in events]
    one.end()
    return found


def test_an_ordinary_stream_passes_then_holds():
    one = reader()
    assert steps(one, CREATED, DELTA, DELTA, DONE) == [Step.PASS] * 3 + [Step.HOLD]
    assert (one.is_complete, one.finish) == (True, FinishReason.STOP)
    assert dict(one.usage.quantities) == {U.INPUT: 10, U.OUTPUT: 5}
    assert one.take_text() == "hellohello"


def test_the_beginning_is_no_output():
    one = reader()
    steps(one, CREATED, event("response.in_progress", response=answer("in_progress")))
    assert (one.has_output, one.is_complete, one.usage) == (False, False, None)


@pytest.mark.parametrize(
    "output",
    [
        event("response.reasoning_summary_text.delta", delta="hm"),
        event("response.function_call_arguments.delta", delta="{"),
        event("response.output_item.done", item={"type": "reasoning", "encrypted_content": "x"}),
    ],
)
def test_all_kinds_of_output_count(output):
    one = reader()
    steps(one, CREATED, output)
    assert one.has_output


@pytest.mark.parametrize(
    "failure",
    [
        event("error", code="rate_limit_exceeded", message="slow down"),
        event(
            "response.failed",
            response=answer("failed", error={"code": "server_error", "message": "x"}),
        ),
        b'data: {"error": {"message": "x", "type": "server_error"}}\n\n',
    ],
)
def test_failures_fail_before_and_amid_output(failure):
    for before in ((CREATED,), (CREATED, DELTA, DELTA)):
        one = reader()
        assert steps(one, *before, failure)[-1] is Step.FAIL
        assert one.error is not None
        assert (one.finish, one.is_complete) == (None, False)


def test_an_error_inside_an_item_is_content():
    one = reader()
    item = {"type": "mcp_call", "error": {"type": "error", "message": "not found"}}
    found = steps(one, CREATED, DELTA, event("response.output_item.done", item=item), DONE)
    assert found == [Step.PASS] * 3 + [Step.HOLD]
    assert one.error is None


def test_an_error_after_the_end_changes_nothing():
    one = reader()
    assert steps(one, DELTA, DONE, event("error", message="x"))[-1] is Step.HOLD
    assert (one.error, one.flags) == (None, {Flag.LATE_ERROR})


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("max_output_tokens", FinishReason.LENGTH),
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("steered", FinishReason.PAUSE),
        ("novelty", FinishReason.OTHER),
        (None, FinishReason.OTHER),
    ],
)
def test_incomplete_answers_tell_why(reason, finish):
    one = reader()
    told = answer("incomplete", incomplete_details={"reason": reason}, usage=USAGE)
    steps(one, DELTA, event("response.incomplete", response=told))
    assert (one.finish, one.is_complete) == (finish, True)


@pytest.mark.parametrize(
    ("item", "finish"),
    [
        ({"type": "function_call", "name": "f", "arguments": "{}"}, FinishReason.TOOL_CALLS),
        ({"type": "custom_tool_call", "name": "f", "input": "x"}, FinishReason.TOOL_CALLS),
        ({"type": "web_search_call", "action": {"type": "search"}}, FinishReason.STOP),
        (
            {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]},
            FinishReason.REFUSAL,
        ),
    ],
)
def test_the_items_tell_why(item, finish):
    one = reader(is_stream=False)
    one.read_body(orjson.dumps(answer(output=[item], usage=USAGE)))
    assert one.finish is finish


@pytest.mark.parametrize(
    ("tool_usage", "searches"),
    [
        (None, 1),
        ({"web_search": {"num_requests": 1}}, 1),
        ({"web_search": {"num_requests": 0}}, 0),
        ({"web_search": {"num_requests": 7}}, 1),
        ({"web_search": {}}, 1),
    ],
)
def test_the_smaller_count_of_searches_is_billed(tool_usage, searches):
    items = [
        {"type": "web_search_call", "action": {"type": kind}}
        for kind in ("search", "open_page", "find_in_page")
    ]
    one = reader(is_stream=False)
    one.read_body(orjson.dumps(answer(output=items, usage=USAGE, tool_usage=tool_usage)))
    assert one.usage.count(U.WEB_SEARCH) == searches


def test_a_generated_image_is_billed_from_its_item():
    items = [{"type": "image_generation_call", "result": "AAAA"}] * 2
    failed = {"type": "image_generation_call", "status": "failed", "result": None}
    one = reader(is_stream=False)
    one.read_body(orjson.dumps(answer(output=[*items, failed], usage=USAGE)))
    assert one.usage.count(U.IMAGE) == 2


def test_the_tier_of_the_end_counts_not_that_of_the_start():
    one = reader()
    told = answer(output=[MESSAGE], usage=USAGE, service_tier="priority")
    steps(one, CREATED, DELTA, event("response.completed", response=told))
    assert one.usage.service_tier == "priority"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "x"}},
        answer("failed", error={"code": "server_error", "message": "x"}),
        answer("cancelled"),
        {"message": "x"},
        {},
    ],
)
def test_a_200_without_an_answer_is_an_error(body):
    one = reader(is_stream=False)
    one.read_body(orjson.dumps(body))
    assert one.error is not None
    assert one.error.code in set(Code)
    assert (one.finish, one.is_complete) == (None, False)
