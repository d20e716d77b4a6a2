"""The official SDK as the client, over bytes of ours; and Codex, by the requests that it sends."""

import httpx2
import openai
import pytest

from routing import seals
from routing.conversation import (
    Citation,
    FinishReason,
    Reasoning,
    Role,
    Seal,
    SealFormat,
    Text,
    ToolCall,
    ToolResult,
)
from routing.events import (
    Cited,
    Finish,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    Start,
    TextDelta,
    TextEnd,
    ToolDelta,
    ToolEnd,
    ToolStart,
)
from routing.translators import folding, openai_responses
from tests.routing.translators.openai_responses.scene import (
    BILL,
    KEY,
    answering,
    decode,
    encode,
    target,
)

THOUGHT = Seal(format=SealFormat.ANTHROPIC, data="c2lnbmF0dXJl")
EVENTS = [
    Start(),
    ReasoningDelta(text="I should ", format=SealFormat.ANTHROPIC),
    ReasoningDelta(text="look.", format=SealFormat.ANTHROPIC),
    ReasoningEnd(seal=THOUGHT, format=SealFormat.ANTHROPIC),
    TextDelta(text="Let me "),
    TextDelta(text="see."),
    Cited(citation=Citation(url="https://a.example", title="A")),
    TextEnd(),
    ToolStart(call=0, id="call_1", name="look"),
    ToolStart(call=1, id="call_2", name="patch"),
    ToolDelta(call=0, arguments='{"city":'),
    ToolDelta(call=1, arguments='{"input":"*** Begin Patch\\n'),
    ToolDelta(call=0, arguments='"Bern"}'),
    ToolDelta(call=1, arguments='*** End Patch"}'),
    ToolEnd(call=0),
    ToolEnd(call=1),
    Finish(reason=FinishReason.TOOL_CALLS),
]
PATCH_GRAMMAR = 'start: begin_patch hunk+ end_patch\nbegin_patch: "*** Begin Patch" LF'
# What Codex sends, after its source (openai/codex, codex-rs/core, 2026).
CODEX = {
    "model": "acme/large",
    "instructions": "You are a coding agent.",
    "input": [
        {
            "type": "message",
            "role": "developer",
            "content": [{"type": "input_text", "text": "<permissions>ask</permissions>"}],
        },
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Fix the bug."}],
        },
    ],
    "tools": [
        {
            "type": "function",
            "name": "look",
            "description": "Looks.",
            "strict": False,
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
        {"type": "local_shell"},
        {
            "type": "custom",
            "name": "patch",
            "description": "Edits files. This is a FREEFORM tool.",
            "format": {"type": "grammar", "syntax": "lark", "definition": PATCH_GRAMMAR},
        },
        {"type": "web_search", "external_web_access": True},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0199-session",
    "client_metadata": {"x": "y"},
}


def sdk(events, body, *, bill=BILL, is_stream=True):
    """The SDK's client, for whom our encoder is the server."""

    def serve(_):
        at = answering(body)
        if is_stream:
            encoder = openai_responses.stream_encoder(at)
            content = b"".join(map(encoder.encode, events)) + encoder.finish(bill)
            return httpx2.Response(
                200, content=content, headers={"content-type": "text/event-stream"}
            )
        content = openai_responses.encode_answer(folding.fold(events), answering=at, bill=bill)
        return httpx2.Response(200, content=content, headers={"content-type": "application/json"})

    transport = httpx2.MockTransport(serve)
    return openai.OpenAI(
        api_key="k",
        base_url="https://gateway.example/v1",
        max_retries=0,
        http_client=httpx2.Client(transport=transport),
    )


@pytest.mark.parametrize("is_stream", [True, False])
def test_the_sdk_puts_the_answer_together(is_stream):
    body = {name: CODEX[name] for name in ("model", "input", "tools", "include")}
    with sdk(EVENTS, body, is_stream=is_stream) as client:
        if is_stream:
            with client.responses.stream(**body) as stream:
                deltas = [one.delta for one in stream if one.type == "response.output_text.delta"]
                found = stream.get_final_response()
            assert deltas == ["Let me ", "see."]
        else:
            found = client.responses.create(**body)
    reasoning, message, look, patch = found.output
    assert reasoning.summary[0].text == "I should look."
    assert found.output_text == message.content[0].text == "Let me see."
    assert message.content[0].annotations[0].end_index == len("Let me see.")
    assert (look.call_id, look.arguments) == ("call_1", '{"city":"Bern"}')
    assert patch.input == "*** Begin Patch\n*** End Patch"
    assert found.usage.total_tokens == 3388
    assert found.usage.cost == 0.000317


def test_the_sdk_sees_a_refusal():
    events = [RefusalDelta(text="No"), RefusalDelta(text="."), Finish(reason=FinishReason.REFUSAL)]
    with sdk(events, {}) as client, client.responses.stream(model="m", input="hi") as stream:
        kinds = [one.type for one in stream]
        found = stream.get_final_response()
    assert kinds.count("response.refusal.delta") == 2
    assert found.output[0].content[0].refusal == "No."


def test_codex_has_its_request_read():
    request = decode(CODEX)
    assert [text.text for text in request.instructions] == [
        "You are a coding agent.",
        "<permissions>ask</permissions>",
    ]
    assert [tool.name for tool in request.tools] == ["look", "local_shell", "patch"]
    assert PATCH_GRAMMAR in request.tools[2].description
    assert request.web_search is not None
    assert request.is_parallel
    assert request.is_stream
    assert request.cache_key == "0199-session"
    assert (request.reasoning.effort, request.reasoning.summary) == ("medium", "auto")
    assert request.dropped == ()


def test_codex_goes_on_after_a_call_with_what_it_got():
    with sdk(EVENTS, CODEX) as client, client.responses.stream(
        **{name: CODEX[name] for name in ("model", "input", "tools")}
    ) as stream:  # fmt: skip
        items = [item.to_dict() for item in stream.get_final_response().output]
    for item in items:
        item.pop("id")  # Codex leaves ids out
        item.pop("status", None)
    results = [
        {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "Done!"},
    ]
    request = decode({**CODEX, "input": [*CODEX["input"], *items, *results]})
    user, assistant, tool = request.turns
    assert (user.role, assistant.role, tool.role) == (Role.USER, Role.ASSISTANT, Role.TOOL)
    assert assistant.parts == (
        Reasoning(text="I should look.", format=SealFormat.ANTHROPIC, seal=THOUGHT),
        Text(text="Let me see."),
        ToolCall(id="call_1", name="look", arguments='{"city":"Bern"}'),
        ToolCall(
            id="call_2", name="patch", arguments="*** Begin Patch\n*** End Patch", is_custom=True
        ),
    )
    assert tool.parts == (
        ToolResult(call_id="call_1", name="look", parts=(Text(text="rain"),)),
        ToolResult(call_id="call_2", name="patch", parts=(Text(text="Done!"),), is_custom=True),
    )
    raw = encode(request, target(reasoning="effort"))[1].outbound.body.decode()
    assert seals.PREFIX not in raw
    assert THOUGHT.data not in raw


def test_an_envelope_is_opened_with_the_accounts_key_alone():
    envelope = seals.wrap(THOUGHT, key=KEY)
    item = {"type": "reasoning", "summary": [], "encrypted_content": envelope}
    found = openai_responses.decode_request({"model": "m", "input": [item]}, seal_key=b"another's")
    assert found.turns == ()
