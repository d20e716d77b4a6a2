"""A vendor's whole chat completion in our own vocabulary (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from routing.conversation import (
    Answer,
    Audio,
    Choice,
    Citation,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from routing.readers.answer import dicts, mapping, word
from routing.translators.openai_chat import pieces_in
from routing.translators.openai_chat.details import Details, sealed
from routing.translators.openai_chat.parts_in import thought


def decode_answer(document: Mapping[str, Any]) -> Answer:
    """Read a whole answer; what cannot be read is left out."""
    told = sorted(dicts(document.get("choices")), key=_index)
    sources = tuple(pieces_in.sources(document))
    return Answer(
        choices=tuple(
            _choice(choice, sources if number == 0 else ()) for number, choice in enumerate(told)
        )
    )


def _index(choice: Mapping[str, Any]) -> int:
    index = choice.get("index")
    return index if type(index) is int else 0


def _choice(choice: Mapping[str, Any], sources: tuple[Citation, ...]) -> Choice:
    message = mapping(choice.get("message"))
    parts = _parts(message, sources)
    native = word(choice.get("finish_reason"))
    reason = pieces_in.finish_of(
        # Snowflake leaves the reason of a whole answer blank (recorded 2026).
        native or "stop",
        has_calls=any(isinstance(part, ToolCall) for part in parts),
        has_refusal=any(isinstance(part, Refusal) for part in parts),
    )
    return Choice(
        parts=tuple(parts),
        finish=reason,
        native_finish=pieces_in.native_finish(choice),
        logprobs=pieces_in.tokens(choice),
    )


def _parts(message: Mapping[str, Any], sources: tuple[Citation, ...]) -> list[Part]:
    details = Details(message.get("reasoning_details"))
    said = list(_content(message.get("content")))
    parts = [*_thoughts(message, details), *said]
    _cite(parts, (*pieces_in.annotations(message), *sources))
    refusal = word(message.get("refusal"))
    if refusal:
        parts.append(Refusal(text=refusal))
    parts += pieces_in.images(message)
    parts += _audio(mapping(message.get("audio")))
    return sealed([*parts, *_calls(message)], details.seals)


def _thoughts(message: Mapping[str, Any], details: Details) -> list[Part]:
    plain = word(message.get("reasoning_content")) or word(message.get("reasoning"))
    found = list(details.reasoning)
    if not plain or any(part.text for part in found):
        return [*found]
    if len(found) == 1:  # the text stands beside, the seal here
        return [msgspec.structs.replace(found[0], text=plain)]
    return [Reasoning(text=plain), *found]


def _content(content: Any) -> Iterator[Part]:
    if isinstance(content, str):
        if content:
            yield Text(text=content)
        return
    for part in dicts(content):  # Mistral
        if part.get("type") == "thinking":
            if text := thought(part):
                yield Reasoning(text=text)
        elif text := word(part.get("text")):
            yield Text(text=text)


def _cite(parts: list[Part], citations: tuple[Citation, ...]) -> None:
    if not citations:
        return
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        if isinstance(part, Text):
            parts[index] = Text(text=part.text, citations=citations)
            return
    parts.append(Text(text="", citations=citations))


def _audio(told: Mapping[str, Any]) -> Iterator[Part]:
    data, transcript = word(told.get("data")), word(told.get("transcript"))
    if data or transcript:
        expires = told.get("expires_at")
        yield Audio(
            data=data,
            transcript=transcript,
            id=word(told.get("id")),
            expires_at=expires if isinstance(expires, int) else None,
        )


def _calls(message: Mapping[str, Any]) -> Iterator[ToolCall]:
    for told in dicts(message.get("tool_calls")):
        custom = mapping(told.get("custom"))
        if custom:
            yield ToolCall(
                id=word(told.get("id")),
                name=word(custom.get("name")),
                arguments=word(custom.get("input")),
                is_custom=True,
            )
            continue
        function = mapping(told.get("function"))
        if function:
            yield ToolCall(
                id=word(told.get("id")),
                name=word(function.get("name")),
                arguments=pieces_in.arguments_of(function),
                seal=pieces_in.google_seal(told),
            )
    old = mapping(message.get("function_call"))
    if old.get("name"):
        yield ToolCall(id="", name=word(old.get("name")), arguments=pieces_in.arguments_of(old))
