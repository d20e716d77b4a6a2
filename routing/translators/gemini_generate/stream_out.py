"""A stream for a Gemini client: SSE, or one JSON array without `alt=sse` (pure)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from routing.conversation import FinishReason, Seal, SealFormat
from routing.errors import RelayError
from routing.events import (
    AudioDelta,
    Cited,
    Event,
    Finish,
    Logprobs,
    MediaOut,
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
from routing.translators.base import Answering, Bill, StreamEncoder
from routing.translators.gemini_generate import answer_out, usage
from routing.translators.gemini_generate.citations_out import Grounding
from routing.translators.gemini_generate.writing import Json, dump

_TEXT: Final = b'{"candidates":[{"content":{"parts":[{"text":'
_THOUGHT: Final = b'{"candidates":[{"content":{"parts":[{"thought":true,"text":'


class _Choice:
    """One candidate under way."""

    __slots__ = ("calls", "finish", "grounding", "is_text", "sound", "tail", "waiting")

    def __init__(self, tail: bytes) -> None:
        self.tail = tail  # of a chunk, behind the text
        self.is_text = False
        self.grounding = Grounding()
        self.waiting: Seal | None = None  # a foreign seal, until a part comes that may carry it
        self.calls: dict[int, tuple[ToolStart, list[str]]] = {}  # those that are not complete
        self.finish: Finish | None = None
        self.sound = answer_out.SOUND


class Encoder(StreamEncoder):
    """Writes each delta as a chunk of its own; calls when they are whole.

    Nothing but Google's fields, and no comment lines: its SDK (google-genai 3.4) fails on both.
    """

    def __init__(self, answering: Answering) -> None:
        super().__init__(answering)
        self._is_array = answering.is_array
        if answering.is_array:
            self.content_type = "application/json"
        self._before = b"[" if answering.is_array else b"data: "
        self._after = b"" if answering.is_array else b"\r\n\r\n"
        names = {"modelVersion": answering.model, "responseId": answering.hex}
        self._names = orjson.dumps(names)[1:]
        self._choices: dict[int, _Choice] = {}

    def encode(self, event: Event) -> bytes:
        """Write one event."""
        return self._WRITERS[type(event)](self, event)

    def finish(self, bill: Bill) -> bytes:
        """Write the last chunk: how each choice ended, its sources, and the usage."""
        choices = self._choices or {0: self._choice(0)}
        told: Json = {
            "candidates": [self._last(n, choice) for n, choice in sorted(choices.items())],
            "usageMetadata": usage.metadata(bill.usage),
            "modelVersion": self.answering.model,
            "responseId": self.answering.hex,
        }
        return self._framed(dump(told)) + (b"]" if self._is_array else b"")

    def fail(self, error: RelayError) -> bytes:
        """Write the error that ends the stream; the array is closed behind it."""
        event = super().fail(error)
        if not self._is_array:
            return event
        return self._framed(event.removeprefix(b"data: ").strip()) + b"]"

    def _framed(self, data: bytes) -> bytes:
        before = self._before
        if self._is_array:
            self._before = b",\r\n"
        return before + data + self._after

    def _choice(self, index: int) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            tail = b'}],"role":"model"},"index":%d}],' % index + self._names
            choice = self._choices[index] = _Choice(tail)
        return choice

    def _part(self, index: int, part: Json, **rest: Any) -> bytes:
        content: Json = {"parts": [part], "role": "model"}
        candidate = orjson.dumps({"index": index, **rest})[1:] if rest else b'"index":%d}' % index
        written = b'{"candidates":[{"content":' + dump(content) + b"," + candidate
        return self._framed(written + b"]," + self._names)

    def _text(self, event: TextDelta | RefusalDelta) -> bytes:
        choice = self._choices.get(event.choice) or self._choice(event.choice)
        choice.is_text = True
        text = event.text
        if not text:
            return b""
        choice.grounding.text(text)
        if choice.waiting is not None:
            return self._carrying(event.choice, {"text": text})
        return self._framed(_TEXT + _quoted(text) + choice.tail)

    def _text_end(self, event: TextEnd) -> bytes:
        choice = self._choice(event.choice)
        choice.is_text = False
        choice.grounding.end_block()
        return b""

    def _leave_text(self, index: int) -> _Choice:
        choice = self._choices.get(index) or self._choice(index)
        if choice.is_text:
            choice.is_text = False
            choice.grounding.end_block()
        return choice

    def _thought(self, event: ReasoningDelta) -> bytes:
        choice = self._leave_text(event.choice)
        if not event.text:
            return b""
        return self._framed(_THOUGHT + _quoted(event.text) + choice.tail)

    def _thought_end(self, event: ReasoningEnd) -> bytes:
        choice = self._leave_text(event.choice)
        if event.seal is None:
            return b""
        seal = answer_out.named(event.seal, event.id)
        before = self._flush(event.choice)
        if seal.format is not SealFormat.GOOGLE:
            choice.waiting = seal
            return before
        return before + self._signed(event.choice, {"text": "", "thought": True}, seal)

    def _seal(self, event: SealDelta) -> bytes:
        return self._flush(event.choice) + self._signed(event.choice, {"text": ""}, event.seal)

    def _flush(self, index: int) -> bytes:
        """Write the seal that waits on a thought of its own: another one comes."""
        seal, choice = None, self._choice(index)
        seal, choice.waiting = choice.waiting, None
        return b"" if seal is None else self._signed(index, {"text": "", "thought": True}, seal)

    def _signed(self, index: int, part: Json, seal: Seal | None) -> bytes:
        return self._part(index, answer_out.signed(part, seal, self.answering.seal_key))

    def _carrying(self, index: int, part: Json, own: Seal | None = None) -> bytes:
        """Write a part with its own seal, or with the one that waits."""
        if own is not None:
            return self._flush(index) + self._signed(index, part, own)
        choice = self._choice(index)
        seal, choice.waiting = choice.waiting, None
        return self._signed(index, part, seal)

    def _call_start(self, event: ToolStart) -> bytes:
        self._leave_text(event.choice).calls[event.call] = (event, [])
        return b""

    def _call_delta(self, event: ToolDelta) -> bytes:
        call = self._choice(event.choice).calls.get(event.call)
        if call is not None:
            call[1].append(event.arguments)
        return b""

    def _call_end(self, event: ToolEnd) -> bytes:
        call = self._choice(event.choice).calls.pop(event.call, None)
        if call is None:
            return b""
        return self._carrying(event.choice, _call_part(*call), call[0].seal)

    def _media(self, event: MediaOut) -> bytes:
        self._leave_text(event.choice)
        return self._carrying(event.choice, answer_out.image_part(event.image), event.image.seal)

    def _audio(self, event: AudioDelta) -> bytes:
        choice = self._choice(event.choice)
        choice.sound = event.mime or choice.sound
        written = b""
        if event.transcript:
            written = self._text(TextDelta(text=event.transcript, choice=event.choice))
        if event.data:
            blob = {"mimeType": choice.sound, "data": event.data}
            written += self._part(event.choice, {"inlineData": blob})
        return written

    def _cited(self, event: Cited) -> bytes:
        choice = self._choice(event.choice)
        choice.is_text = True
        choice.grounding.cite(event.citation)
        return b""

    def _logprobs(self, event: Logprobs) -> bytes:
        self._choice(event.choice)
        result = answer_out.logprobs_result(event.tokens)
        return self._part(event.choice, {"text": ""}, logprobsResult=result)

    def _finish(self, event: Finish) -> bytes:
        choice = self._choice(event.choice)
        choice.finish = choice.finish or event
        return b""

    def _nothing(self, event: Event) -> bytes:
        del event
        return b""

    def _last(self, index: int, choice: _Choice) -> Json:
        """Return the last candidate; Google, too, ends with an empty text (recorded 2026)."""
        parts = [_call_part(*call) for call in choice.calls.values()] or [{"text": ""}]
        parts[0] = answer_out.signed(parts[0], choice.waiting, self.answering.seal_key)
        reason = choice.finish.reason if choice.finish else FinishReason.STOP
        native = choice.finish.native if choice.finish else ""
        told: Json = {
            "content": {"parts": parts, "role": "model"},
            "finishReason": answer_out.finish_word(reason, native),
            "index": index,
        }
        grounding = choice.grounding.metadata()
        return told if grounding is None else {**told, "groundingMetadata": grounding}

    _WRITERS: Final[Mapping[type, Callable[..., bytes]]] = {
        Start: _nothing,
        TextDelta: _text,
        TextEnd: _text_end,
        ReasoningDelta: _thought,
        ReasoningEnd: _thought_end,
        SealDelta: _seal,
        ToolStart: _call_start,
        ToolDelta: _call_delta,
        ToolEnd: _call_end,
        RefusalDelta: _text,
        MediaOut: _media,
        AudioDelta: _audio,
        Cited: _cited,
        Logprobs: _logprobs,
        Finish: _finish,
    }


def _quoted(text: str) -> bytes:
    try:
        return orjson.dumps(text)
    except TypeError:  # half of a surrogate pair
        return orjson.dumps(text.encode("utf-8", "replace").decode())


def _call_part(start: ToolStart, pieces: list[str]) -> Json:
    return answer_out.call_part(start.id, start.name, "".join(pieces), is_custom=start.is_custom)
