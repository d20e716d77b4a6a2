import json

import pytest

from billing.usage import UnitClass
from routing.dialects.content import TOOL_USES_BOUND
from routing.errors import Code
from routing.surfaces import Surface
from tests.routing.dialects import calls

RESPONSES = Surface.RESPONSES
PIXEL = "data:image/png;base64,AAAA"


@pytest.mark.parametrize(
    ("extra", "code", "param"),
    [
        ({"input": None}, Code.MISSING_FIELD, "input"),
        ({"input": 5}, Code.INVALID_TYPE, "input"),
        ({"input": [5]}, Code.INVALID_TYPE, "input[0]"),
        ({"input": [{"role": "user", "content": 5}]}, Code.INVALID_TYPE, "input[0].content"),
        ({"input": [{"role": "user", "content": [5]}]}, Code.INVALID_TYPE, "input[0].content[0]"),
        ({"instructions": ["a"]}, Code.INVALID_TYPE, "instructions"),
        ({"max_output_tokens": "5"}, Code.INVALID_TYPE, "max_output_tokens"),
        ({"tools": [{"type": "code_interpreter"}]}, Code.UNPRICED, "tools[0].type"),
        ({"tools": [{"type": "x_search"}]}, Code.UNPRICED, "tools[0].type"),
        ({"tools": [{}]}, Code.UNPRICED, "tools[0].type"),
        (
            {"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]},
            Code.UNPRICED,
            "tools[0].environment",
        ),
        (
            {"tools": [{"type": "namespace", "tools": [{"type": "code_interpreter"}]}]},
            Code.UNPRICED,
            "tools[0].tools[0].type",
        ),
        (
            {"input": [{"type": "additional_tools", "tools": [{"type": "code_interpreter"}]}]},
            Code.UNPRICED,
            "input[0].tools[0].type",
        ),
        (
            {"tools": [{"type": "mcp", "connector_id": "connector_gmail"}]},
            Code.VENDOR_HANDLE,
            "tools[0].connector_id",
        ),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(extra, code, param):
    error = calls.refusal(RESPONSES, **extra)
    assert (error.code, error.param) == (code, param)


def test_a_conversation_with_tools_and_reasoning_passes():
    demand = calls.demand(
        RESPONSES,
        input=[
            {"role": "developer", "content": "Be brief."},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "AAAA"},
            {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "42"},
            {
                "type": "function_call_output",
                "call_id": "d",
                "output": [{"type": "input_image", "image_url": PIXEL}],
            },
            {
                "type": "computer_call_output",
                "call_id": "e",
                "output": {"type": "computer_screenshot", "image_url": PIXEL},
            },
            {"type": "image_generation_call", "id": "ig_1", "result": "AAAA"},
        ],
        tools=[{"type": "function", "name": "f", "parameters": {}}, {"type": "tool_search"}],
        max_output_tokens=50,
        previous_response_id=None,
        background=False,
    )
    assert demand.images == 3
    assert not demand.has_remote_content
    assert demand.output_tokens == 50
    assert demand.fees == {}


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_image", "image_url": "https://example.com/x.png"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA"},
        {"type": "input_file", "file_url": "https://example.com/x.pdf"},
        {"type": "brand_new"},
    ],
)
def test_what_bytes_do_not_bound_is_said(part):
    demand = calls.demand(RESPONSES, input=[{"role": "user", "content": [part]}])
    assert demand.has_remote_content


def test_server_tools_have_a_stated_bound():
    search = [{"type": "web_search"}]
    demand = calls.demand(RESPONSES, tools=search)
    assert demand.fees == {UnitClass.WEB_SEARCH: TOOL_USES_BOUND}
    assert demand.has_remote_content
    demand = calls.demand(RESPONSES, tools=search, max_tool_calls=2)
    assert demand.fees == {UnitClass.WEB_SEARCH: 2}
    demand = calls.demand(RESPONSES, tools=[{"type": "image_generation"}])
    assert demand.fees == {UnitClass.IMAGE: TOOL_USES_BOUND}
    demand = calls.demand(RESPONSES, tools=[{"type": "mcp", "server_url": "https://x.example"}])
    assert demand.has_remote_content


@pytest.mark.parametrize("given", [{}, {"store": None}, {"store": False}])
def test_nothing_is_stored_at_the_vendor(given):
    inbound = calls.decode(RESPONSES, **given)
    assert json.loads(calls.encode(inbound, forces_store_false=True).body)["store"] is False
    assert json.loads(calls.encode(inbound).body).get("store", "absent") == given.get(
        "store", "absent"
    )


def test_a_clamped_limit_and_the_accounts_tag():
    inbound = calls.decode(RESPONSES, stream=True)
    outbound = calls.encode(
        inbound, output_limit=9, tag="t", account_field="safety_identifier", upstream_name="gpt"
    )
    assert json.loads(outbound.body) == {
        "model": "gpt",
        "input": "Hi",
        "stream": True,
        "max_output_tokens": 9,
        "safety_identifier": "t",
    }
    assert outbound.path == "responses"
    assert inbound.is_stream


@pytest.mark.parametrize("surface", [Surface.INPUT_TOKENS, Surface.COMPACT])
def test_counts_and_compactions_are_sent_with_the_models_name_as_their_only_edit(surface):
    inbound = calls.decode(surface, instructions="Be brief.", stream=True)
    outbound = calls.encode(
        inbound, tag="t", account_field="safety_identifier", forces_store_false=True
    )
    assert json.loads(outbound.body) == {
        "model": "up",
        "input": "Hi",
        "instructions": "Be brief.",
        "stream": True,
    }
    assert outbound.path == f"responses/{surface.value}"
    assert not inbound.is_stream


def test_a_count_needs_no_input_but_a_compaction_does():
    assert not calls.demand(Surface.INPUT_TOKENS, input=None).has_output
    assert calls.refusal(Surface.COMPACT, input=None).param == "input"


def test_a_compaction_has_output_that_no_field_limits():
    demand = calls.demand(Surface.COMPACT, max_output_tokens=5)
    assert demand.has_output
    assert not demand.has_limit
    assert demand.output_tokens is None
    assert calls.demand(RESPONSES, max_output_tokens=5).has_limit


@pytest.mark.parametrize("surface", [Surface.INPUT_TOKENS, Surface.COMPACT])
@pytest.mark.parametrize("name", ["previous_response_id", "conversation"])
def test_counts_and_compactions_are_stateless(surface, name):
    error = calls.refusal(surface, **{name: "resp_1"})
    assert (error.code, error.param) == (Code.VENDOR_HANDLE, name)
