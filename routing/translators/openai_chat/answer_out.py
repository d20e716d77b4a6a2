"""A whole answer as a chat completion for a client (pure)."""

from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from routing.conversation import (
    Answer,
    Audio,
    Choice,
    FinishReason,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from routing.translators import names, openai_usage
from routing.translators.base import Answering, Bill
from routing.translators.openai_chat import details_out, pieces_out
from routing.translators.openai_chat.details import ENCRYPTED


def encode_answer(answer: Answer, *, answering: Answering, bill: Bill) -> bytes:
    """Write a whole answer."""
    writer = _Writer(answering)
    body = pieces_out.head(answering, "chat.completion")
    choices = answer.choices or (Choice(),)
    body["choices"] = [writer.choice(choice, index) for index, choice in enumerate(choices)]
    body["usage"] = openai_usage.usage(bill, is_platform=answering.is_platform)
    return orjson.dumps(body)


class _Writer:
    """Writes the choices of one answer."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._wishes = pieces_out.Wishes(answering.body)
        self._calls = 0

    def choice(self, choice: Choice, index: int) -> dict[str, Any]:
        parts = [self._with_id(part) for part in choice.parts]
        has_calls = any(isinstance(part, ToolCall) for part in parts)
        reason = choice.finish or (FinishReason.TOOL_CALLS if has_calls else FinishReason.STOP)
        has_refusal = any(isinstance(part, Refusal) for part in parts)
        written: dict[str, Any] = {
            "index": index,
            "message": self._message(parts),
            "logprobs": pieces_out.logprobs(choice.logprobs) if choice.logprobs else None,
            "finish_reason": self._wishes.finish(reason, has_refusal=has_refusal),
        }
        if self._answering.is_platform:
            written["native_finish_reason"] = choice.native_finish or None
        return written

    def _with_id(self, part: Part) -> Part:
        """Give a call an id where its vendor gave none."""
        if not isinstance(part, ToolCall):
            return part
        number, self._calls = self._calls, self._calls + 1
        if part.id:
            return part
        return msgspec.structs.replace(part, id=names.made_id(self._answering.hex, number))

    def _message(self, parts: Sequence[Part]) -> dict[str, Any]:
        content = "".join(part.text for part in parts if isinstance(part, Text))
        refusal = "".join(part.text for part in parts if isinstance(part, Refusal))
        message: dict[str, Any] = {
            "role": "assistant",
            "content": content or (None if _says_else(parts) else ""),
            "refusal": refusal or None,
        }
        self._add_reasoning(message, parts)
        annotations = _annotations(parts)
        if annotations:
            message["annotations"] = annotations
        images = [pieces_out.image(part) for part in parts if isinstance(part, Image)]
        if images:
            message["images"] = images
        sound = next((part for part in parts if isinstance(part, Audio)), None)
        if sound is not None:
            message["audio"] = self._audio(sound)
        self._add_calls(message, [part for part in parts if isinstance(part, ToolCall)])
        return message

    def _add_reasoning(self, message: dict[str, Any], parts: Sequence[Part]) -> None:
        entries = details_out.of_parts(parts)
        text = "".join(part.text for part in parts if isinstance(part, Reasoning))
        if self._wishes.hides_reasoning:
            text, entries = "", [entry for entry in entries if entry["type"] == ENCRYPTED]
        if text:
            message["reasoning"] = message["reasoning_content"] = text
        if entries:
            message["reasoning_details"] = entries

    def _audio(self, part: Audio) -> dict[str, Any]:
        return {
            "id": part.id or f"audio_{self._answering.hex}",
            "data": part.data,
            "transcript": part.transcript,
            # Nothing is kept here that could be named later.
            "expires_at": part.expires_at or self._answering.created,
        }

    def _add_calls(self, message: dict[str, Any], calls: Sequence[ToolCall]) -> None:
        if not calls:
            return
        if self._wishes.is_old:
            first = calls[0]
            message["function_call"] = {"name": first.name, "arguments": first.arguments or "{}"}
        else:
            message["tool_calls"] = [self._call(call) for call in calls]

    def _call(self, call: ToolCall) -> dict[str, Any]:
        if call.is_custom or self._wishes.is_custom(call.name):
            text = pieces_out.custom_input(call.arguments, is_custom=call.is_custom)
            return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": text}}
        function = {"name": call.name, "arguments": call.arguments or "{}"}
        return {"id": call.id, "type": "function", "function": function}


def _says_else(parts: Sequence[Part]) -> bool:
    return any(isinstance(part, (ToolCall, Audio, Refusal)) for part in parts)


def _annotations(parts: Sequence[Part]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    offset = 0
    for part in parts:
        if isinstance(part, Text):
            for citation in part.citations:
                note = pieces_out.annotation(citation, offset=offset, length=len(part.text))
                if note is not None:
                    found.append(note)
            offset += len(part.text)
    return found
