"""One choice of a stream towards a client (pure)."""

from typing import Any

import orjson

from routing.conversation import Citation, FinishReason, Seal, SealFormat
from routing.events import (
    AudioDelta,
    Cited,
    Finish,
    Logprobs,
    MediaOut,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    SealDelta,
    TextDelta,
    TextEnd,
    ToolDelta,
    ToolEnd,
    ToolStart,
)
from routing.translators import names
from routing.translators.base import Answering
from routing.translators.openai_chat import details_out, pieces_out
from routing.translators.openai_chat.details import SUMMARY, TEXT

_dumps = orjson.dumps


class Frame:
    """What all chunks of one stream have in common, written once."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.wishes = pieces_out.Wishes(answering.body)
        head = _dumps(pieces_out.head(answering, "chat.completion.chunk"))[:-1]
        self._head = b"data: " + head + b',"choices":[{"index":'
        native = b',"native_finish_reason":null' if answering.is_platform else b""
        self.tail = b',"logprobs":null,"finish_reason":null' + native + b"}]}\n\n"

    def opening(self, index: int) -> bytes:
        """Return what stands before the delta of a choice."""
        return self._head + str(index).encode() + b',"delta":'

    def chunk(self, index: int, delta: dict[str, Any]) -> bytes:
        """Write one chunk."""
        return self.opening(index) + _dumps(delta) + self.tail

    def ending(self, index: int, reason: str, native: str) -> bytes:
        """Write the chunk that says why a choice ended."""
        choice: dict[str, Any] = {"delta": {}, "logprobs": None, "finish_reason": reason}
        if self.answering.is_platform:
            choice["native_finish_reason"] = native or None
        return self._rest(index, choice)

    def scored(self, index: int, logprobs: dict[str, Any]) -> bytes:
        """Write a chunk of tokens' probabilities."""
        choice: dict[str, Any] = {"delta": {}, "logprobs": logprobs, "finish_reason": None}
        if self.answering.is_platform:
            choice["native_finish_reason"] = None
        return self._rest(index, choice)

    def _rest(self, index: int, choice: dict[str, Any]) -> bytes:
        return self._head + str(index).encode() + b"," + _dumps(choice)[1:] + b"]}\n\n"


class Choice:
    """Writes the chunks of one choice, and numbers what is in them."""

    def __init__(self, index: int, frame: Frame) -> None:
        self._index = index
        self._frame = frame
        self._opening = frame.opening(index)
        self._tail = frame.tail
        self._text_head = self._opening + b'{"content":'
        self._text_tail = b"}" + frame.tail
        self._chars = 0  # of the text so far
        self._part_start = 0  # where the text's current part began
        self._waiting: list[Citation] = []  # of the part: its end is not known yet
        self._notes = 0
        self._images = 0
        self._details = _Details(self._opening, self._tail)
        self._calls: dict[int, _Call] = {}
        self._written_calls = 0
        self._has_refusal = False
        self._has_audio = False
        self._has_expiry = False
        self._finish: Finish | None = None

    def text(self, event: TextDelta) -> bytes:
        text = event.text
        self._chars += len(text)
        return b"".join((self._text_head, _dumps(text), self._text_tail)) if text else b""

    def text_end(self, event: TextEnd) -> bytes:  # noqa: ARG002 - one writer for each event
        """Write the sources that stand on the whole of the part."""
        length = self._chars - self._part_start
        notes = [
            pieces_out.annotation(citation, offset=self._part_start, length=length)
            for citation in self._waiting
        ]
        self._waiting.clear()
        self._part_start = self._chars
        return b"".join(self._note(note) for note in notes if note is not None)

    def cited(self, event: Cited) -> bytes:
        citation = event.citation
        if citation.start is None or citation.end is None:
            self._waiting.append(citation)
            return b""
        note = pieces_out.annotation(citation, offset=self._part_start, length=0)
        return b"" if note is None else self._note(note)

    def _note(self, note: dict[str, Any]) -> bytes:
        note["index"] = self._notes  # accumulators need one in every list of objects
        self._notes += 1
        return self._chunk({"annotations": [note]})

    def reasoning(self, event: ReasoningDelta) -> bytes:
        if self._frame.wishes.hides_reasoning or not event.text:
            return b""
        return self._details.text(event)

    def reasoning_end(self, event: ReasoningEnd) -> bytes:
        seal = event.seal
        if seal is None:
            self._details.close()
            return b""
        if details_out.is_apart(seal):
            self._details.close()
            return self._chunk({"reasoning_details": [self._details.apart(seal)]})
        if self._frame.wishes.hides_reasoning:
            return b""
        return self._chunk({"reasoning_details": [self._details.signature(seal)]})

    def seal(self, event: SealDelta) -> bytes:
        self._details.close()
        return self._chunk({"reasoning_details": [self._details.apart(event.seal)]})

    def tool_start(self, event: ToolStart) -> bytes:
        wishes = self._frame.wishes
        call_id = event.id or names.made_id(self._frame.answering.hex, event.call)
        call = _Call(call_id, event)
        call.is_buffered = event.is_custom or wishes.is_custom(event.name)
        if not call.is_buffered:
            self._number(call)
        self._calls[event.call] = call
        delta: dict[str, Any] = {}
        if event.seal is not None:
            self._details.close()
            delta["reasoning_details"] = [self._details.apart(event.seal, call_id=call_id)]
        if wishes.is_old:
            if call.index == 0:
                delta["function_call"] = {"name": event.name, "arguments": ""}
        elif not call.is_buffered:
            function = {"name": event.name, "arguments": ""}
            delta["tool_calls"] = [
                {"index": call.index, "id": call_id, "type": "function", "function": function}
            ]
        return self._chunk(delta) if delta else b""

    def tool_delta(self, event: ToolDelta) -> bytes:
        call = self._calls.get(event.call)
        if call is None or not event.arguments:
            return b""
        call.has_arguments = True
        if call.is_buffered:
            call.pieces.append(event.arguments)
            return b""
        return self._arguments(call, event.arguments)

    def _arguments(self, call: "_Call", text: str) -> bytes:
        if self._frame.wishes.is_old:
            head, close = b'{"function_call":{"arguments":', b"}}"
            if call.index:
                return b""
        else:
            head = b'{"tool_calls":[{"index":%d,"function":{"arguments":' % call.index
            close = b"}}]}"
        return b"".join((self._opening, head, _dumps(text), close, self._tail))

    def tool_end(self, event: ToolEnd) -> bytes:
        call = self._calls.get(event.call)
        return b"" if call is None else self._ended(call)

    def _ended(self, call: "_Call") -> bytes:
        """Write what is left of a call: nothing at all is no JSON, and a program parses it."""
        if call.is_ended:
            return b""
        call.is_ended = True
        if not call.is_buffered:
            return b"" if call.has_arguments else self._arguments(call, "{}")
        self._number(call)
        text = pieces_out.custom_input("".join(call.pieces), is_custom=call.is_custom)
        custom = {"name": call.name, "input": text}
        written = {"index": call.index, "id": call.id, "type": "custom", "custom": custom}
        return self._chunk({"tool_calls": [written]})

    def _number(self, call: "_Call") -> None:
        """Give a call its index when it is first written: accumulators want them in order."""
        call.index = self._written_calls
        self._written_calls += 1

    def refusal(self, event: RefusalDelta) -> bytes:
        self._has_refusal = True
        return self._chunk({"refusal": event.text})

    def media(self, event: MediaOut) -> bytes:
        picture = {**pieces_out.image(event.image), "index": self._images}
        self._images += 1
        delta: dict[str, Any] = {"images": [picture]}
        if event.image.seal is not None:
            self._details.close()
            delta["reasoning_details"] = [self._details.apart(event.image.seal)]
        return self._chunk(delta)

    def sound(self, event: AudioDelta) -> bytes:
        told: dict[str, Any] = {}
        if not self._has_audio:  # accumulators join what comes twice
            told["id"] = event.id or f"audio_{self._frame.answering.hex}"
            self._has_audio = True
        if event.data:
            told["data"] = event.data
        if event.transcript:
            told["transcript"] = event.transcript
        if event.expires_at and not self._has_expiry:
            told["expires_at"] = event.expires_at
            self._has_expiry = True
        return self._chunk({"audio": told}) if told else b""

    def logprobs(self, event: Logprobs) -> bytes:
        return self._frame.scored(self._index, pieces_out.logprobs(event.tokens))

    def finished(self, event: Finish) -> bytes:
        self._finish = self._finish or event
        return b""

    def end(self) -> bytes:
        """Write what is left, and why it ended."""
        left = [self.text_end(TextEnd()), *map(self._ended, self._calls.values())]
        finish = self._finish
        reason = FinishReason.TOOL_CALLS if self._calls else FinishReason.STOP
        word = self._frame.wishes.finish(
            finish.reason if finish else reason, has_refusal=self._has_refusal
        )
        return b"".join(left) + self._frame.ending(
            self._index, word, finish.native if finish else ""
        )

    def _chunk(self, delta: dict[str, Any]) -> bytes:
        return self._frame.chunk(self._index, delta)


class _Call:
    """One call under way."""

    __slots__ = (
        "has_arguments",
        "id",
        "index",
        "is_buffered",
        "is_custom",
        "is_ended",
        "name",
        "pieces",
    )

    def __init__(self, call_id: str, event: ToolStart) -> None:
        self.index = 0
        self.id = call_id
        self.name = event.name
        self.is_custom = event.is_custom
        self.is_buffered = False  # a custom tool's input is known when it is whole
        self.pieces: list[str] = []
        self.has_arguments = False
        self.is_ended = False


class _Details:
    """The entries of `reasoning_details`, numbered."""

    def __init__(self, opening: bytes, tail: bytes) -> None:
        self._opening = opening
        self._tail = tail
        self._index = 0
        self._open: tuple[bool, SealFormat] | None = None
        self._pieces = (b"", b"")

    def text(self, event: ReasoningDelta) -> bytes:
        """Write a piece of reasoning: as plain text, and in its entry."""
        key = (event.is_summary, event.format)
        if key != self._open:
            self._begin(key)
        text = _dumps(event.text)
        middle, end = self._pieces
        head = self._opening
        return b"".join(
            (head, b'{"reasoning":', text, b',"reasoning_content":', text, middle, text, end)
        )

    def _begin(self, key: tuple[bool, SealFormat]) -> None:
        self.close()
        self._open = key
        is_summary, form = key
        kind, field = (SUMMARY, "summary") if is_summary else (TEXT, "text")
        start = f',"reasoning_details":[{{"type":"{kind}","{field}":'
        end = f',"format":"{form.value}","index":{self._index}}}]}}'
        self._pieces = (start.encode(), end.encode() + self._tail)

    def close(self) -> None:
        """End the open entry."""
        if self._open is not None:
            self._open = None
            self._index += 1

    def signature(self, seal: Seal) -> dict[str, Any]:
        """Write the signature of the open entry, which ends with it."""
        is_summary = self._open is not None and self._open[0]
        entry = details_out.text_entry("", seal.format, is_summary=is_summary)
        entry["signature"] = seal.data
        return self._numbered(entry)

    def apart(self, seal: Seal, *, call_id: str = "") -> dict[str, Any]:
        """Write a seal in an entry of its own."""
        return self._numbered(details_out.encrypted(seal, call_id=call_id))

    def _numbered(self, entry: dict[str, Any]) -> dict[str, Any]:
        entry["index"] = self._index
        self._open = None
        self._index += 1
        return entry
