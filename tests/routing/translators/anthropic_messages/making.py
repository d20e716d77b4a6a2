"""What the tests of this wire format are made of: targets, answers, bills, events of a stream."""

import json
from typing import Any

import pytest

from billing.usage import UnitClass, Usage
from routing.conversation import (
    Answer,
    FinishReason,
    Request,
    Role,
    Seal,
    SealFormat,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from routing.dialects.base import Quirks
from routing.errors import RelayError
from routing.events import Event
from routing.surfaces import Surface
from routing.translators import anthropic_messages as messages
from routing.translators.base import Answering, Bill, ClientSide, Encoded, Target, VendorSide

KEY = b"an account's key"
HEX = "0123456789abcdef" * 2

# mypy is not run over tests; these still say that the package is both sides.
CLIENT: ClientSide = messages
VENDOR: VendorSide = messages


def answering(**fields) -> Answering:
    told: dict[str, Any] = {
        "surface": Surface.MESSAGES,
        "id": f"gen-{HEX}",
        "model": "acme/chat-2",
        "vendor": "Acme",
        "created": 1_790_000_000,
        "body": {},
        "prompt_tokens": 31,
        "seal_key": KEY,
    }
    return Answering(**(told | fields))


def bill(cost_nusd: int = 317_001, tier: str = "standard", **quantities: int) -> Bill:
    counted = {UnitClass(name): count for name, count in quantities.items()}
    usage = Usage(
        quantities=counted or {UnitClass.INPUT: 5, UnitClass.OUTPUT: 7}, service_tier=tier
    )
    return Bill(usage=usage, cost_nusd=cost_nusd)


def target(*, output_limit=None, output_tokens_max=None, account_tag="", **quirks) -> Target:
    return Target(
        upstream_name="claude-up",
        quirks=Quirks(**quirks),
        account_tag=account_tag,
        output_limit=output_limit,
        output_tokens_max=output_tokens_max,
        seal_key=KEY,
    )


def decoded(**body) -> Request:
    told = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
    return messages.decode_request(told | body, seal_key=KEY)


def refusal(call, *args, **kwargs) -> RelayError:
    """Call what must be refused with a 400, and return the error."""
    with pytest.raises(RelayError) as caught:
        call(*args, **kwargs)
    assert caught.value.status == 400
    return caught.value


def unless_refused(call, *args, **kwargs):
    """Return what a call gives; None when it was refused with a 400."""
    try:
        return call(*args, **kwargs)
    except RelayError as refused:
        status = refused.status
    assert status == 400
    return None


def user(*parts) -> Turn:
    return Turn(role=Role.USER, parts=tuple(Text(text=p) if type(p) is str else p for p in parts))


def assistant(*parts) -> Turn:
    told = tuple(Text(text=part) if type(part) is str else part for part in parts)
    return Turn(role=Role.ASSISTANT, parts=told)


def system(text: str) -> Turn:
    return Turn(role=Role.SYSTEM, parts=(Text(text=text),))


def results(*parts: ToolResult) -> Turn:
    return Turn(role=Role.TOOL, parts=parts)


def call(call_id="c1", name="f", arguments="{}", **fields) -> ToolCall:
    return ToolCall(id=call_id, name=name, arguments=arguments, **fields)


def result(call_id="c1", text="42", **fields) -> ToolResult:
    return ToolResult(call_id=call_id, parts=(Text(text=text),), **fields)


def asking(*turns: Turn, **fields) -> Request:
    return Request(turns=turns or (user("Hi"),), **fields)


def encoded(request: Request, **quirks) -> Encoded:
    return messages.encode_request(request, target(**quirks))


def body_of(request: Request, **quirks) -> dict[str, Any]:
    return json.loads(encoded(request, **quirks).outbound.body)


def written(answer: Answer, **fields) -> dict[str, Any]:
    return json.loads(messages.encode_answer(answer, answering=answering(**fields), bill=bill()))


def stream_of(events: list[Event], **fields) -> bytes:
    """Write a whole stream; only `finish` may end it."""
    encoder = messages.stream_encoder(answering(**fields))
    before = b"".join(encoder.encode(event) for event in events)
    assert b"message_delta" not in before
    assert b"message_stop" not in before
    return before + encoder.finish(bill())


def documents(stream: bytes) -> list[dict[str, Any]]:
    """Read a stream's events, by code of the tests' own; the name must be the type."""
    assert stream.endswith(b"\n\n")
    found = []
    for event in stream.decode().split("\n\n")[:-1]:
        name, data = event.split("\n")
        document = json.loads(data.removeprefix("data: "))
        assert name == f"event: {document['type']}"
        found.append(document)
    return found


def kinds(stream: bytes) -> list[str]:
    return [document["type"] for document in documents(stream)]


def blocks(stream: bytes) -> list[dict[str, Any]]:
    """Accumulate the blocks as a client does; one may be open at a time."""
    found: list[dict[str, Any]] = []
    is_open = False
    for document in documents(stream):
        kind = document["type"]
        if not kind.startswith("content_block_"):
            continue
        assert document["index"] == len(found) - (kind != "content_block_start")
        if kind == "content_block_start":
            assert not is_open
            is_open = True
            found.append(document["content_block"])
        elif kind == "content_block_stop":
            assert is_open
            is_open = False
        else:
            assert is_open
            _add(found[-1], document["delta"])
    assert not is_open
    return found


def _add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            block["json"] = block.get("json", "") + delta["partial_json"]
        case "citations_delta":
            block["citations"] = [*block.get("citations", []), delta["citation"]]


def decode_stream(stream: bytes) -> list[Event]:
    decoder = messages.stream_decoder()
    found: list[Event] = []
    for document in documents(stream):
        found += decoder.decode(json.dumps(document).encode())
    return [*found, *decoder.end()]


def claude_seal(data="sig==") -> Seal:
    return Seal(format=SealFormat.ANTHROPIC, data=data)


def google_seal(data="R09PRw==") -> Seal:
    return Seal(format=SealFormat.GOOGLE, data=data)


def openai_seal(data="gAAAA", item="rs_1") -> Seal:
    return Seal(format=SealFormat.OPENAI, data=data, id=item)


STOP = FinishReason.STOP
