"""Reads streams of Anthropic (pure)."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from routing.conversation import SealFormat
from routing.events import (
    Cited,
    Event,
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
from routing.translators import arguments
from routing.translators.anthropic_messages import answer_in, blocks
from routing.translators.base import StreamDecoder

_NONE: Final[tuple[Event, ...]] = ()


class _Delta(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    citation: Any = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Any = None


class _Told(msgspec.Struct, gc=False):
    type: str = ""
    delta: _Delta | None = None
    content_block: Any = None


_read = msgspec.json.Decoder(_Told).decode


class Decoder:
    """Follows the one block that is open; its kind says what a delta belongs to."""

    __slots__ = ("_calls", "_has_arguments", "_has_finished", "_input", "_is_started", "_kind",
                 "_signature")  # fmt: skip

    def __init__(self) -> None:
        self._kind = ""  # "": no block is open
        self._calls = 0
        self._input: Any = None  # of a call whose arguments came whole, with its start
        self._has_arguments = False
        self._signature = ""
        self._is_started = False
        self._has_finished = False

    def decode(self, data: bytes) -> Iterable[Event]:
        """Take the data of one event."""
        try:
            told = _read(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _NONE
        if told.type == "content_block_delta":
            return _NONE if told.delta is None else self._delta(told.delta)
        return self._other(told)

    def end(self) -> Iterable[Event]:
        """Take the end of the stream: what is open ends."""
        return self._stop()

    def _delta(self, delta: _Delta) -> Iterable[Event]:
        kind = delta.type
        if kind == "text_delta":
            return (TextDelta(text=delta.text),) if delta.text else _NONE
        if kind == "input_json_delta":
            return self._arguments(delta.partial_json)
        if kind == "thinking_delta":
            if not delta.thinking:
                return _NONE
            return (ReasoningDelta(text=delta.thinking, format=SealFormat.ANTHROPIC),)
        if kind == "signature_delta":
            self._signature = delta.signature or self._signature
        elif kind == "citations_delta":
            return self._cited(delta.citation)
        return _NONE

    def _arguments(self, piece: str | None) -> Iterable[Event]:
        if not piece or self._kind != "tool_use":  # the vendor's own tools have arguments, too
            return _NONE
        self._has_arguments = True
        return (ToolDelta(call=self._calls - 1, arguments=piece),)

    @staticmethod
    def _cited(told: Any) -> Iterable[Event]:
        citation = blocks.citation(told)
        return _NONE if citation is None else (Cited(citation=citation),)

    def _other(self, told: _Told) -> Iterable[Event]:
        if told.type == "content_block_start":
            return [*self._stop(), *self._start(told.content_block)]
        if told.type == "content_block_stop":
            return self._stop()
        if told.type == "message_delta" and told.delta is not None:
            return self._finish(told.delta)
        if told.type == "message_start" and not self._is_started:
            self._is_started = True
            return (Start(),)
        return _NONE

    def _start(self, block: Any) -> Iterable[Event]:
        if type(block) is not dict:
            return _NONE
        self._kind = blocks.text(block.get("type"))
        if self._kind == "tool_use":
            return self._start_call(block)
        if self._kind == "redacted_thinking":
            data = blocks.text(block.get("data"))
            self._kind = ""  # it is whole
            seal = blocks.redacted_seal(data)
            return (ReasoningEnd(seal=seal, format=SealFormat.ANTHROPIC),) if data else _NONE
        return self._start_text(block)

    def _start_call(self, block: dict[str, Any]) -> Iterable[Event]:
        self._has_arguments = False
        self._input = block.get("input")
        self._calls += 1
        return (
            ToolStart(
                call=self._calls - 1,
                id=blocks.text(block.get("id")),
                name=blocks.text(block.get("name")),
            ),
        )

    def _start_text(self, block: dict[str, Any]) -> Iterable[Event]:
        """Take what some vendors put into a block's start already."""
        if self._kind == "thinking":
            self._signature = blocks.text(block.get("signature"))
            thought = blocks.text(block.get("thinking"))
            return (
                (ReasoningDelta(text=thought, format=SealFormat.ANTHROPIC),) if thought else _NONE
            )
        if self._kind != "text":
            return _NONE
        text, told = blocks.text(block.get("text")), block.get("citations")
        found: list[Event] = [TextDelta(text=text)] if text else []
        for one in told if type(told) is list else ():
            found += self._cited(one)
        return found

    def _stop(self) -> Iterable[Event]:
        kind, self._kind = self._kind, ""
        if kind == "text":
            return (TextEnd(),)
        if kind == "thinking":
            seal, self._signature = blocks.thinking_seal(self._signature), ""
            return (ReasoningEnd(seal=seal, format=SealFormat.ANTHROPIC),)
        if kind != "tool_use":
            return _NONE
        call = self._calls - 1
        if self._has_arguments:
            return (ToolEnd(call=call),)
        whole = arguments.as_text(self._input)  # a call without parameters: "{}"
        self._input = None
        return (ToolDelta(call=call, arguments=whole), ToolEnd(call=call))

    def _finish(self, delta: _Delta) -> Iterable[Event]:
        if not delta.stop_reason or self._has_finished:
            return _NONE
        self._has_finished = True
        found: list[Event] = [*self._stop()]
        found += [RefusalDelta(text=one.text) for one in answer_in.refusals(delta.stop_details)]
        found.append(
            Finish(
                reason=answer_in.finish(delta.stop_reason),
                native=delta.stop_reason,
                stop_sequence=delta.stop_sequence or "",
            )
        )
        return found


def stream_decoder() -> StreamDecoder:
    """Make the decoder of one attempt's stream."""
    return Decoder()
