"""Reads whole answers of Anthropic (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any

from routing.conversation import (
    Answer,
    Choice,
    FinishReason,
    Part,
    Reasoning,
    Refusal,
    SealFormat,
    Text,
    ToolCall,
)
from routing.readers.anthropic_messages import FINISHES
from routing.translators import arguments
from routing.translators.anthropic_messages import blocks


def decode_answer(document: Mapping[str, Any]) -> Answer:
    """Read a whole answer. What the vendor's own tools did is left out; its text stays."""
    content = document.get("content")
    parts: list[Part] = []
    for block in content if type(content) is list else ():
        if type(block) is dict:
            parts += _parts(block)
    parts += refusals(document.get("stop_details"))
    native = blocks.text(document.get("stop_reason"))
    choice = Choice(
        parts=tuple(parts),
        finish=finish(native) if native else None,
        native_finish=native,
        stop_sequence=blocks.text(document.get("stop_sequence")),
    )
    return Answer(choices=(choice,))


def finish(native: str) -> FinishReason:
    """Return our word for a stop reason."""
    return FINISHES.get(native, FinishReason.OTHER)


def refusals(details: Any) -> Iterator[Refusal]:
    """Yield the vendor's explanation of a refusal, where it gives one."""
    if type(details) is dict and (explanation := blocks.text(details.get("explanation"))):
        yield Refusal(text=explanation)


def _parts(block: dict[str, Any]) -> Iterator[Part]:
    kind = block.get("type")
    if kind == "text":
        yield from _text(block)
    elif kind == "thinking":
        thought = blocks.text(block.get("thinking"))
        seal = blocks.thinking_seal(blocks.text(block.get("signature")))
        if thought or seal:
            yield Reasoning(text=thought, format=SealFormat.ANTHROPIC, seal=seal)
    elif kind == "redacted_thinking":
        if data := blocks.text(block.get("data")):
            yield Reasoning(format=SealFormat.ANTHROPIC, seal=blocks.redacted_seal(data))
    elif kind == "tool_use":
        yield ToolCall(
            id=blocks.text(block.get("id")),
            name=blocks.text(block.get("name")),
            arguments=arguments.as_text(block.get("input")),
        )


def _text(block: dict[str, Any]) -> Iterator[Text]:
    told = block.get("citations")
    found = (blocks.citation(one) for one in (told if type(told) is list else ()))
    citations = tuple(one for one in found if one is not None)
    text = blocks.text(block.get("text"))
    if text or citations:
        yield Text(text=text, citations=citations)
