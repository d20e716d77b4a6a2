"""Writes streams in Anthropic's shape: one block open at a time (pure)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from routing import errors
from routing.conversation import Seal, SealFormat
from routing.errors import TABLE, RelayError
from routing.events import (
    AudioDelta,
    Cited,
    Event,
    Finish,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    SealDelta,
    Start,
    TextDelta,
    TextEnd,
    ToolDelta,
    ToolEnd,
    ToolStart,
)
from routing.sse import EventTooLarge
from routing.translators.anthropic_messages import blocks, ids, reasons, usage
from routing.translators.anthropic_messages.answer_out import on
from routing.translators.base import Answering, Bill, StreamEncoder

# What may wait for an unfinished call to end, in characters; a whole answer is smaller.
WAITING_CHARS_MAX: Final = 16_000_000

_EVENT_CHARS: Final = 64  # what an event costs beside its text
_PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
_STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_END: Final = b"}}\n\n"


class Encoder(StreamEncoder):
    """Owns the blocks' indexes. An unfinished call keeps its block; what comes amid it waits."""

    def __init__(self, answering: Answering) -> None:
        super().__init__(answering)
        self._is_started = False
        self._open = ""  # the kind of the block that is open: text, thinking, tool
        self._index = -1
        self._head = b""  # what stands before a delta's text in the open block
        self._thought: tuple[Any, ...] | None = None  # kind of the reasoning in the open block
        self._call = -1  # whose block is open
        self._calls = 0
        self._queue: dict[int, _Queued] = {}  # calls that wait for their block, in order
        self._later: list[Event] = []  # what else waits: it comes after the calls
        self._waiting_chars = 0
        self._finish: Finish | None = None
        self._has_refusal = False
        writers: dict[Any, Callable[[Any], bytes]] = {
            TextDelta: self._text,
            TextEnd: self._text_end,
            ReasoningDelta: self._reasoning,
            ReasoningEnd: self._reasoning_end,
            SealDelta: self._seal,
            ToolStart: self._tool_start,
            ToolDelta: self._tool_delta,
            ToolEnd: self._tool_end,
            RefusalDelta: self._refusal,
            AudioDelta: self._audio,
            Cited: self._cited,
            Finish: self._note_finish,
        }
        self._writers: Mapping[Any, Callable[[Any], bytes]] = writers

    def encode(self, event: Event) -> bytes:
        """Write one event; pictures and probabilities have no form here."""
        if isinstance(event, TextDelta) and self._open == "text" and not event.choice:
            text = event.text
            return self._head + orjson.dumps(text) + _END if text else b""
        if isinstance(event, Start):
            return self._begin()
        writer = self._writers.get(type(event))
        if writer is None or event.choice:  # this protocol has but one choice
            return b""
        return writer(event)

    def finish(self, bill: Bill) -> bytes:
        """Write the terminal events, with usage and cost."""
        closed = self._begin() + self._close()
        while self._queue or self._later:
            closed += self._next() + self._close()
        finish = self._finish
        delta = reasons.stopping(
            finish.reason if finish else None,
            native=finish.native if finish else "",
            stop_sequence=finish.stop_sequence if finish else "",
            has_calls=self._calls > 0,
            has_refusal=self._has_refusal,
        )
        ending = {"type": "message_delta", "delta": delta, "usage": usage.told(bill)}
        return closed + _event("message_delta", ending) + _STOP

    def fail(self, error: RelayError) -> bytes:
        """Write the error that ends the stream; under /api/v1 with OpenRouter's `error_type`."""
        if not self.answering.is_platform:
            return errors.stream_event(
                error, surface=self.answering.surface, request_id=self.answering.id
            )
        row = TABLE[error.code]
        told = {
            "type": row.anthropic_type,
            "message": error.message,
            "error_type": row.error_type,
        }
        return _event("error", {"type": "error", "error": told, "request_id": self.answering.id})

    # The message

    def _begin(self) -> bytes:
        if self._is_started:
            return b""
        self._is_started = True
        message: dict[str, Any] = {
            "id": f"msg_{self.answering.hex}",
            "type": "message",
            "role": "assistant",
            "model": self.answering.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "usage": usage.estimated(self.answering.prompt_tokens),
        }
        return _event("message_start", {"type": "message_start", "message": message})

    def _note_finish(self, finish: Finish) -> bytes:
        self._finish = self._finish or finish
        return b""

    # Blocks

    def _open_block(self, kind: str, block: Mapping[str, Any], delta: str = "") -> bytes:
        """Close what is open and begin a block; `delta` names its deltas' type and field."""
        closed = self._begin() + self._close()
        self._index += 1
        self._open = kind
        started = {"type": "content_block_start", "index": self._index, "content_block": block}
        self._head = self._delta_head(delta) if delta else b""
        written = closed + _event("content_block_start", started)
        return written + _PING if self._index == 0 else written

    def _delta_head(self, delta: str) -> bytes:
        name, _, field = delta.partition(".")
        return (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":'
            + str(self._index).encode()
            + f',"delta":{{"type":"{name}","{field}":'.encode()
        )

    def _close(self) -> bytes:
        if not self._open:
            return b""
        self._open, self._call, self._thought = "", -1, None
        return (
            b'event: content_block_stop\ndata: {"type":"content_block_stop","index":'
            + str(self._index).encode()
            + b"}\n\n"
        )

    def _whole(self, block: Mapping[str, Any]) -> bytes:
        """Write a block that comes whole in its start."""
        return self._open_block("whole", block) + self._close()

    def _waits(self, event: Event, chars: int = 0) -> bool:
        """Keep an event while a call has the block."""
        if self._open != "tool":
            return False
        self._later.append(event)
        self._wait_for(chars)
        return True

    def _wait_for(self, chars: int) -> None:
        """Count what waits. Raises: EventTooLarge; the relay then cuts and bills the answer."""
        self._waiting_chars += chars + _EVENT_CHARS
        if self._waiting_chars > WAITING_CHARS_MAX:
            raise EventTooLarge

    # Text

    def _text(self, event: TextDelta) -> bytes:
        return self._write_text(event.text, event)

    def _write_text(self, text: str, event: Event) -> bytes:
        if not text or self._waits(event, len(text)):
            return b""
        opened = b"" if self._open == "text" else self._open_text()
        return opened + self._head + orjson.dumps(text) + _END

    def _open_text(self) -> bytes:
        return self._open_block("text", {"type": "text", "text": ""}, "text_delta.text")

    def _text_end(self, event: TextEnd) -> bytes:
        if self._later and self._waits(event):
            return b""
        return self._close() if self._open == "text" else b""

    def _refusal(self, event: RefusalDelta) -> bytes:
        self._has_refusal = True
        return self._write_text(event.text, event)

    def _audio(self, event: AudioDelta) -> bytes:
        return self._write_text(event.transcript, event)

    def _cited(self, event: Cited) -> bytes:
        citation = blocks.native_citation(event.citation)
        if citation is None or self._waits(event):
            return b""
        opened = b"" if self._open == "text" else self._open_text()
        return opened + self._delta({"type": "citations_delta", "citation": citation})

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        told = {"type": "content_block_delta", "index": self._index, "delta": delta}
        return _event("content_block_delta", told)

    # Reasoning

    def _reasoning(self, event: ReasoningDelta) -> bytes:
        if not event.text or self._waits(event, len(event.text)):
            return b""
        thought = (event.format, event.is_summary)
        opened = b""
        if self._open != "thinking" or self._thought != thought:
            block = {"type": "thinking", "thinking": "", "signature": ""}
            opened = self._open_block("thinking", block, "thinking_delta.thinking")
            self._thought = thought
        return opened + self._head + orjson.dumps(event.text) + _END

    def _reasoning_end(self, event: ReasoningEnd) -> bytes:
        if self._waits(event):
            return b""
        if event.seal is None:
            # The stop waits, for some vendors' seals come later: with a call, or after all.
            self._thought = ()
            return b""
        return self._write_seal(event.seal)

    def _write_seal(self, seal: Seal) -> bytes:
        """Put a seal on the open thinking, else into a block of its own."""
        key = self.answering.seal_key
        if self._open == "thinking" and not seal.is_redacted:
            return self._sign(blocks.signature(seal, key=key)) + self._close()
        if seal.format is SealFormat.ANTHROPIC and not seal.is_redacted:
            block = {"type": "thinking", "thinking": "", "signature": ""}
            opened = self._open_block("thinking", block)
            return opened + self._sign(seal.data) + self._close()
        return self._whole(blocks.sealed(seal, key=key))

    def _sign(self, signature: str) -> bytes:
        return self._delta({"type": "signature_delta", "signature": signature})

    def _seal(self, event: SealDelta) -> bytes:
        if self._waits(event):
            return b""
        place = blocks.ON_TEXT if self._open == "text" else blocks.ON_NOTHING
        sealed = blocks.sealed(on(event.seal, place), key=self.answering.seal_key)
        return self._whole(sealed)

    # Calls

    def _tool_start(self, event: ToolStart) -> bytes:
        fallback = f"toolu_{self.answering.hex}_{self._calls}"
        self._calls += 1
        call_id = ids.for_client(event.id, fallback=fallback)
        if self._open == "tool":
            self._queue[event.call] = _Queued(event, call_id)
            return b""
        return self._open_call(event, call_id)

    def _open_call(self, event: ToolStart, call_id: str) -> bytes:
        sealed = b""
        if event.seal is not None:
            sealed = self._write_seal(on(event.seal, ids.from_client(call_id)))
        block = {"type": "tool_use", "id": call_id, "name": event.name, "input": {}}
        opened = self._open_block("tool", block, "input_json_delta.partial_json")
        self._call = event.call
        return sealed + opened

    def _tool_delta(self, event: ToolDelta) -> bytes:
        text = event.arguments
        if not text:
            return b""
        if event.call == self._call:
            return self._head + orjson.dumps(text) + _END
        queued = self._queue.get(event.call)
        if queued is not None:
            queued.pieces.append(text)
            self._wait_for(len(text))
        return b""

    def _tool_end(self, event: ToolEnd) -> bytes:
        if event.call == self._call:
            written = self._close()
            while not self._open and (self._queue or self._later):
                written += self._next()
            return written
        queued = self._queue.get(event.call)
        if queued is not None:
            queued.is_done = True
        return b""

    def _next(self) -> bytes:
        """Write the lowest call that waits, which keeps the block if unfinished; else the rest."""
        if not self._queue:
            later, self._later, self._waiting_chars = self._later, [], 0
            return b"".join([self.encode(event) for event in later])
        queued = self._queue.pop(min(self._queue))
        written = self._open_call(queued.event, queued.call_id)
        if text := "".join(queued.pieces):
            written += self._head + orjson.dumps(text) + _END
        return written + self._close() if queued.is_done else written


class _Queued:
    """A call that waits for the block of another to close."""

    __slots__ = ("call_id", "event", "is_done", "pieces")

    def __init__(self, event: ToolStart, call_id: str) -> None:
        self.event = event
        self.call_id = call_id
        self.pieces: list[str] = []
        self.is_done = False


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


def stream_encoder(answering: Answering) -> StreamEncoder:
    """Make the encoder of one stream."""
    return Encoder(answering)
