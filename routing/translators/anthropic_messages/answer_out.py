"""Writes whole answers in Anthropic's shape (pure)."""

from collections.abc import Iterator
from typing import Any

import orjson

from routing.conversation import (
    Answer,
    Audio,
    Choice,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolCall,
)
from routing.translators.anthropic_messages import blocks, ids, inputs, reasons, usage
from routing.translators.base import Answering, Bill


def encode_answer(answer: Answer, *, answering: Answering, bill: Bill) -> bytes:
    """Write a whole answer; of several choices the first, for this protocol has but one."""
    choice = answer.choices[0] if answer.choices else Choice()
    content: list[dict[str, Any]] = []
    for part in choice.parts:
        content += _blocks(part, calls=_calls(content), answering=answering)
    document = {
        "id": f"msg_{answering.hex}",
        "type": "message",
        "role": "assistant",
        "model": answering.model,
        "content": content,
        **reasons.stopping(
            choice.finish,
            native=choice.native_finish,
            stop_sequence=choice.stop_sequence,
            has_calls=any(isinstance(part, ToolCall) for part in choice.parts),
            has_refusal=any(isinstance(part, Refusal) for part in choice.parts),
        ),
        "usage": usage.told(bill),
    }
    return orjson.dumps(document)


def _calls(content: list[dict[str, Any]]) -> int:
    return sum(block["type"] == "tool_use" for block in content)


def _blocks(part: Part, *, calls: int, answering: Answering) -> Iterator[dict[str, Any]]:
    key = answering.seal_key
    if isinstance(part, Text):
        yield from _text(part, key=key)
    elif isinstance(part, Reasoning):
        yield from blocks.reasoning(part, key=key)
    elif isinstance(part, ToolCall):
        call_id = ids.for_client(part.id, fallback=f"toolu_{answering.hex}_{calls}")
        if part.seal is not None:
            yield blocks.sealed(on(part.seal, ids.from_client(call_id)), key=key)
        yield {
            "type": "tool_use",
            "id": call_id,
            "name": part.name,
            "input": inputs.of(part),
        }
    elif isinstance(part, Refusal):
        yield from _text(Text(text=part.text), key=key)
    elif isinstance(part, Audio):  # there is no sound here, only what is said in it
        yield from _text(Text(text=part.transcript), key=key)


def _text(part: Text, *, key: bytes) -> Iterator[dict[str, Any]]:
    found = (blocks.native_citation(one) for one in part.citations)
    citations = [one for one in found if one is not None]
    if part.text or citations:
        block: dict[str, Any] = {"type": "text", "text": part.text}
        yield block | {"citations": citations} if citations else block
    if part.seal is not None:
        place = blocks.ON_TEXT if part.text else blocks.ON_NOTHING
        yield blocks.sealed(on(part.seal, place), key=key)


def on(seal: Seal, place: str) -> Seal:
    """Note the place of a seal of a vendor that has no ids of its own: where it must come back."""
    return Seal(format=seal.format, data=seal.data, id=place, is_redacted=seal.is_redacted)
