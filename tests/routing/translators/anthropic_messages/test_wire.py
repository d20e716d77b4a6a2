"""Every recorded exchange of this protocol, read and written again."""

import json
import re

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from routing.conversation import Reasoning, Text, ToolCall
from routing.surfaces import Surface
from routing.translators import anthropic_messages as messages
from routing.translators.folding import fold, unfold
from tests.routing.readers import wire
from tests.routing.translators.anthropic_messages import making
from tests.routing.translators.anthropic_messages.making import KEY

MESSAGE = TypeAdapter(Message)
EVENT = TypeAdapter(RawMessageStreamEvent)
# Recorded requests that only Anthropic's own models can be given: what names the reason.
NATIVE = re.compile(
    r"source\.type|content\[\d\]\.type|tools\[\d+\]\.type|has no call|messages\[0\]`"
)
SERVER_BLOCKS = re.compile(r"server_tool_use|_tool_result$")


def recorded(*, answered=True):
    found = [case for case in wire.cases() if case.surface is Surface.MESSAGES]
    return [case for case in found if case.status == 200] if answered else found


def replayed(case):
    """Return the events of a recorded answer, as a relay would read them."""
    if not case.is_sse:
        return unfold(messages.decode_answer(json.loads(case.body)))
    decoder = messages.stream_decoder()
    data = re.findall(rb"^data:(.*?)\r?$", case.body, re.MULTILINE)
    events = [event for one in data for event in decoder.decode(one)]
    return [*events, *decoder.end()]


def told(case):
    """Extract blocks and the reason of the end, by code of this test's own."""
    documents = case.documents()
    if not case.is_sse:
        return documents[0]["content"], documents[0]["stop_reason"]
    blocks, reason = [], None
    for document in documents:
        kind = document["type"]
        if kind == "content_block_start":
            blocks.append(document["content_block"])
        elif kind == "content_block_delta":
            _add(blocks[-1], document["delta"])
        elif kind == "message_delta":
            reason = document["delta"]["stop_reason"]
    return blocks, reason


def _add(block, delta):
    for field in ("text", "thinking", "partial_json", "signature"):
        if field in delta:
            block[field] = (block.get(field) or "") + delta[field]
    if "citation" in delta:
        block["citations"] = [*(block.get("citations") or []), delta["citation"]]


def of(blocks, kind):
    return [block for block in blocks if block["type"] == kind]


def test_every_recorded_answer_is_read_without_loss():
    cases = recorded()
    for case in cases:
        blocks, reason = told(case)
        (choice,) = fold(replayed(case)).choices
        texts = [part for part in choice.parts if isinstance(part, Text)]
        thoughts = [part for part in choice.parts if isinstance(part, Reasoning)]
        calls = [part for part in choice.parts if isinstance(part, ToolCall)]
        wanted = [block for block in of(blocks, "text") if block["text"] or block.get("citations")]
        assert [part.text for part in texts] == [block["text"] for block in wanted], case.id
        assert [c.native for part in texts for c in part.citations] == [
            citation for block in wanted for citation in block.get("citations") or []
        ], case.id
        assert [(p.text, p.seal.data) for p in thoughts] == [
            (block.get("thinking") or "", block.get("signature") or block.get("data"))
            for block in blocks if "thinking" in block["type"]
        ], case.id  # fmt: skip
        assert [(call.id, call.name, json.loads(call.arguments)) for call in calls] == [
            (block["id"], block["name"], json.loads(block.get("partial_json") or "null")
             or block["input"])
            for block in of(blocks, "tool_use")
        ], case.id  # fmt: skip
        assert choice.native_finish == reason, case.id
    print(f"wire answers: {len(cases)} of anthropic-messages read and compared")  # noqa: T201
    assert len(cases) > 100


def test_every_recorded_answer_is_written_again_as_the_sdk_reads_it():
    for case in recorded():
        answer = fold(replayed(case))
        document = making.written(answer)
        MESSAGE.validate_python(document)
        stream = making.stream_of(unfold(answer))
        for event in making.documents(stream):
            if event["type"] != "ping":
                EVENT.validate_python(event)
        assert fold(making.decode_stream(stream)) == answer, case.id
        again = messages.decode_answer(document)
        assert _parsed(again) == _parsed(answer), case.id


def _parsed(answer):
    """Return the parts, the arguments of calls by value."""
    return [
        (part.id, part.name, json.loads(part.arguments)) if isinstance(part, ToolCall) else part
        for part in answer.choices[0].parts
    ]


def test_every_recorded_request_is_read_and_written_again():
    target = making.target(reasoning="budget", takes_system_turns=True)
    compared = 0
    for case in recorded():
        request = making.unless_refused(messages.decode_request, case.request, seal_key=KEY)
        encoded = request and making.unless_refused(messages.encode_request, request, target)
        if not encoded:
            assert NATIVE.search(_reason(case, target)), case.id
            continue
        compared += 1
        _compare(case, json.loads(encoded.outbound.body))
    print(f"wire requests: {compared} of anthropic-messages written again")  # noqa: T201
    assert compared > 130


def _reason(case, target):
    def both():
        messages.encode_request(messages.decode_request(case.request, seal_key=KEY), target)

    return making.refusal(both).message


def _compare(case, body):
    asked = case.request
    assert body["max_tokens"] == asked["max_tokens"], case.id
    assert body.get("stream", False) == bool(asked.get("stream")), case.id
    assert body.get("stop_sequences", []) == asked.get("stop_sequences", []), case.id
    assert _texts(body.get("system")) == _texts(asked.get("system")), case.id
    assert _said(body) == _said(asked), case.id
    tools = [tool for tool in asked.get("tools") or [] if "input_schema" in tool]
    sent = [tool for tool in body.get("tools", []) if "input_schema" in tool]
    if tools:
        kept = ("name", "description", "input_schema", "cache_control", "strict")
        assert sent == [{k: tool[k] for k in kept if tool.get(k)} for tool in tools], case.id
        choice = {k: v for k, v in (asked.get("tool_choice") or {}).items() if v}
        assert body.get("tool_choice", {}) == choice, case.id
    told = (asked.get("output_config") or {}).get("format") or asked.get("output_format")
    if told:
        schema = body["output_config"]["format"]["schema"]
        assert _plain(schema) == _plain(told["schema"]), case.id
    budget = (asked.get("thinking") or {}).get("budget_tokens")
    if budget and body.get("thinking"):
        assert body["thinking"]["budget_tokens"] == budget, case.id


def _plain(schema):
    """Return a schema without the descriptions, which may hold words that are not enforced."""
    text = json.dumps(schema, sort_keys=True)
    return re.sub(r'"description": "(?:[^"\\]|\\.)*"(, )?', "", text)


def _texts(system):
    if isinstance(system, str):
        return [system]
    return [block["text"] for block in system or [] if block["text"].strip()]


def _said(body):
    """Return roles and blocks, merged as the vendor merges them; the vendor's own left out."""
    found = []
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        kept = [_block(block) for block in blocks if not SERVER_BLOCKS.search(block["type"])
                and block["type"] != "tool_addition"]  # fmt: skip
        if found and found[-1][0] == message["role"]:
            found[-1][1].extend(kept)
        elif kept:
            found.append((message["role"], kept))
    return [(role, sorted(map(_spelled, blocks))) for role, blocks in found]


def _spelled(block):
    return json.dumps(block, sort_keys=True)


def _block(told):
    block = {k: v for k, v in told.items() if k != "citations" and v is not None}
    kind = block["type"]
    if kind == "tool_result":
        content = block.get("content") or []
        content = [{"type": "text", "text": content}] if isinstance(content, str) else content
        inner = [_block(one) for one in content]
        return {**block, "content": inner, "is_error": bool(block.get("is_error"))}
    if kind == "tool_reference":
        return {"type": "text", "text": f"Tool available: {block['tool_name']}"}
    if kind == "search_result":
        lines = [block["title"], block["source"], *(one["text"] for one in block["content"])]
        return {"type": "text", "text": "\n".join(lines)}
    if kind == "document":
        return {**block, "source": {k: v for k, v in block["source"].items() if v}}
    return block


@pytest.mark.parametrize("tail", ["9c6bccee1aee", "027ebb95345d"])
def test_streams_with_spaces_after_data_and_pings_amid_text_are_read(tail):
    (choice,) = fold(replayed(wire.case(tail))).choices
    assert "".join(part.text for part in choice.parts if isinstance(part, Text))


def test_redacted_thinking_is_kept_to_the_byte():
    asked = next(
        case for case in recorded() if "redacted_thinking" in json.dumps(case.request)
    ).request
    data = re.search(r'"redacted_thinking", "data": "([^"]+)|"data": "([^"]{50,})"',
                     json.dumps(asked))  # fmt: skip
    request = messages.decode_request(asked, seal_key=KEY)
    body = messages.encode_request(request, making.target()).outbound.body.decode()
    assert data
    assert (data.group(1) or data.group(2)) in body
