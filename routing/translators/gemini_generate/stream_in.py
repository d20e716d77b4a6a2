"""A Gemini vendor's answer, streamed or whole, as events (pure)."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from routing.conversation import Answer, Citation, FinishReason, Image, Seal, SealFormat
from routing.events import (
    AudioDelta,
    Cited,
    Event,
    Finish,
    Logprobs,
    MediaOut,
    ReasoningDelta,
    ReasoningEnd,
    SealDelta,
    Start,
    TextDelta,
    TextEnd,
    ToolDelta,
    ToolEnd,
    ToolStart,
)
from routing.readers.answer import dicts, mapping, word
from routing.readers.gemini_generate import FINISHES
from routing.translators import arguments
from routing.translators.folding import fold
from routing.translators.gemini_generate import ids
from routing.translators.gemini_generate.citations_in import Sources, Spot
from routing.translators.gemini_generate.offsets import Offsets

CHOICES_MAX: Final = 128
_UNSPECIFIED: Final = "FINISH_REASON_UNSPECIFIED"


def decode_answer(document: Mapping[str, Any]) -> Answer:
    """Read a whole answer; some vendors send the array of a stream instead."""
    decoder = Decoder()
    pieces = dicts(document) or [dict(document)]
    events = [event for piece in pieces for event in decoder.read(piece)]
    return fold([*events, *decoder.end()])


class Decoder:
    """Reads chunks, each of which is a whole answer's form with a piece of its content."""

    __slots__ = ("_calls", "_choices", "_has_started", "_id")

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}
        self._calls = 0
        self._has_started = False
        self._id = ""  # the vendor's, of the answer: seeds the ids of calls

    def decode(self, data: bytes) -> Iterable[Event]:
        """Take the data of one event, or one element of the array."""
        document = _parse(data)
        return self.read(document) if type(document) is dict else ()

    def end(self) -> Iterable[Event]:
        """Take the end: ends what is open."""
        events: list[Event] = []
        for choice in self._choices.values():
            choice.close(events)
        return events

    def read(self, document: dict[str, Any]) -> list[Event]:
        """Take one document."""
        candidates = document.get("candidates")
        events: list[Event] = []
        if not self._has_started and "error" not in document:
            self._has_started = True
            events.append(Start())
            self._id = word(document.get("responseId"))
        if type(candidates) is list:
            for number, candidate in enumerate(candidates):
                if type(candidate) is dict:
                    self._read_candidate(candidate, number, events)
        if "promptFeedback" in document:
            blocked = word(mapping(document["promptFeedback"]).get("blockReason"))
            if blocked:
                self._choice(0).finish(FinishReason.CONTENT_FILTER, blocked, events)
        return events

    def _choice(self, index: int) -> "_Choice":
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(index)
        return choice

    def _read_candidate(self, candidate: dict[str, Any], number: int, events: list[Event]) -> None:
        told = candidate.get("index", number)
        index = told if type(told) is int and 0 <= told < CHOICES_MAX else number % CHOICES_MAX
        choice = self._choice(index)
        content = candidate.get("content")
        parts = content.get("parts") if type(content) is dict else None
        choice.begin(events)
        if type(parts) is list:
            for position, part in enumerate(parts):
                if type(part) is dict:
                    self._read_part(part, position, choice, events)
        if not candidate.keys() <= _PLAIN:
            choice.read_rest(candidate, events)

    def _read_part(
        self, part: dict[str, Any], position: int, choice: "_Choice", events: list[Event]
    ) -> None:
        text = part.get("text")
        if len(part) == 1 and type(text) is str:
            if text:
                choice.text(text, position, events)
            return
        seal = _seal(part)
        call, blob = part.get("functionCall"), part.get("inlineData")
        if part.get("thought") is True:
            choice.thought(word(text), seal, events)
        elif type(call) is dict:
            self._read_call(call, seal, choice, events)
        elif type(blob) is dict:
            choice.media(blob, seal, events)
        elif type(text) is str or (seal is not None and not part.keys() - _MARKS):
            choice.signed_text(word(text), seal, position, events)

    def _read_call(
        self, call: dict[str, Any], seal: Seal | None, choice: "_Choice", events: list[Event]
    ) -> None:
        name = word(call.get("name"))
        if not name:
            return
        choice.leave(events)
        choice.has_calls = True
        choice.is_signed = choice.is_signed or seal is not None
        number, self._calls = self._calls, self._calls + 1
        args = _arguments(call.get("args"))
        call_id = word(call.get("id")) or ids.make(
            self._id, choice.index, number, choice.offsets.bytes, name, args,
            is_signed=choice.is_signed,
        )  # fmt: skip
        index = choice.index
        events.append(ToolStart(call=number, id=call_id, name=name, seal=seal, choice=index))
        events.append(ToolDelta(call=number, arguments=args, choice=index))
        events.append(ToolEnd(call=number, choice=index))


_PLAIN: Final = frozenset({"content", "index"})
_MARKS: Final = frozenset({"thoughtSignature", "thought", "text"})


class _Choice:
    """One candidate under way."""

    __slots__ = (
        "_audio", "_has_finished", "_has_text", "_kind", "_opened", "_sources", "_spots",
        "has_calls", "index", "is_signed", "offsets",
    )  # fmt: skip

    def __init__(self, index: int) -> None:
        self.index = index
        self.has_calls = False
        self.is_signed = False
        self.offsets = Offsets()
        self._sources = Sources(self.offsets)
        self._kind = ""  # of the part that is open: "text", "thought", ""
        self._opened = (0, 0)  # where the last text part began: bytes, characters
        self._has_text = False  # the part before, of the same chunk, was text
        self._spots: list[tuple[int, int, int, int]] = []
        self._audio = b""  # bytes that wait for others, so that base64 can be joined
        self._has_finished = False

    def begin(self, events: list[Event]) -> None:
        """Begin a chunk."""
        self._has_text = False
        self._spots.clear()
        if self._kind == "text":
            self._spots.append((-1, *self._opened, len(events)))

    def text(self, text: str, position: int, events: list[Event]) -> None:
        """Take visible text."""
        if self._kind != "text" or self._has_text:
            self._open_text(events)
        events.append(TextDelta(text=text, choice=self.index))
        self.offsets.add(text)
        self._has_text = True
        self._spots.append((position, *self._opened, len(events)))

    def _open_text(self, events: list[Event]) -> None:
        if self._kind == "text":
            events.append(TextEnd(choice=self.index))
        else:
            self.leave(events)
        self._kind = "text"
        self._opened = (self.offsets.bytes, self.offsets.chars)

    def signed_text(self, text: str, seal: Seal | None, position: int, events: list[Event]) -> None:
        """Take text that may be empty, and Google's seal on it: no other text joins it."""
        if text:
            self.text(text, position, events)
        if seal is None:
            return
        self.is_signed = True
        if not text:
            self._open_text(events)
        events.append(SealDelta(seal=seal, choice=self.index))
        events.append(TextEnd(choice=self.index))
        self._kind = ""

    def thought(self, text: str, seal: Seal | None, events: list[Event]) -> None:
        """Take a piece of what the model thought."""
        if self._kind != "thought":
            self.leave(events)
        self._has_text = False
        if text:
            self._kind = "thought"
            events.append(ReasoningDelta(text=text, format=SealFormat.GOOGLE, choice=self.index))
        if seal is not None:
            self.is_signed = True
            self._kind = ""
            events.append(ReasoningEnd(seal=seal, format=SealFormat.GOOGLE, choice=self.index))

    def media(self, blob: dict[str, Any], seal: Seal | None, events: list[Event]) -> None:
        """Take a picture or a piece of sound."""
        mime, data = word(blob.get("mimeType")), word(blob.get("data"))
        if not data:
            return
        if not mime.startswith("audio/"):
            self.leave(events)
            image = Image(mime=mime, data=data, seal=seal)
            events.append(MediaOut(image=image, choice=self.index))
            return
        if self._kind != "audio":
            self.leave(events)
            self._kind = "audio"
        joined = self._joined(data)
        if joined:
            events.append(AudioDelta(data=joined, mime=mime, choice=self.index))

    def _joined(self, data: str) -> str:
        """Return base64 that can stand between others: each piece comes with its own padding."""
        if not self._audio and not data.endswith("=") and len(data) % 4 == 0:
            return data
        try:
            raw = self._audio + base64.b64decode(data + "=" * (-len(data) % 4))
        except ValueError:  # no base64
            return ""
        whole = len(raw) // 3 * 3
        self._audio = raw[whole:]
        return base64.b64encode(raw[:whole]).decode()

    def leave(self, events: list[Event]) -> None:
        """End the part that is open: one of another kind follows."""
        if self._kind == "thought":
            events.append(ReasoningEnd(format=SealFormat.GOOGLE, choice=self.index))
        elif self._audio:
            rest = base64.b64encode(self._audio).decode()
            self._audio = b""
            events.append(AudioDelta(data=rest, choice=self.index))
        self._kind = ""
        self._has_text = False

    def read_rest(self, candidate: dict[str, Any], events: list[Event]) -> None:
        """Take what a candidate tells beside its content."""
        native = word(candidate.get("finishReason"))
        is_last = native not in ("", _UNSPECIFIED)
        spots = [Spot(*spot) for spot in self._spots]
        found = list(self._sources.read(candidate, spots, is_last=is_last))
        self._insert(found, events)
        probabilities = _logprobs(mapping(candidate.get("logprobsResult")))
        if probabilities:
            events.append(Logprobs(tokens=probabilities, choice=self.index))
        if is_last:
            self.finish(FINISHES.get(native, FinishReason.OTHER), native, events)

    def _insert(self, found: list[tuple[int, Citation]], events: list[Event]) -> None:
        """Put each citation behind the text that it belongs to."""
        end = len(events)
        placed = [(end if at < 0 else at, citation) for at, citation in found]
        placed.sort(key=lambda row: row[0])
        for at, citation in reversed(placed):
            events.insert(at, Cited(citation=citation, choice=self.index))

    def finish(self, reason: FinishReason, native: str, events: list[Event]) -> None:
        """Take the end of the choice; the first counts."""
        if self._has_finished:
            return
        self._has_finished = True
        self.leave(events)
        if reason is FinishReason.STOP and self.has_calls:
            reason = FinishReason.TOOL_CALLS  # Google says STOP to calls
        events.append(Finish(reason=reason, native=native, choice=self.index))

    def close(self, events: list[Event]) -> None:
        """Take the end of the stream."""
        if not self._has_finished:
            self._insert(list(self._sources.rest([])), events)
            self.leave(events)


def _parse(data: bytes) -> Any:
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:  # an element of an array, with the punctuation around it
            data = data.strip(b"[,] \t\r\n")
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            return None
    if b'"functionCall"' not in data:
        return document
    try:
        return json.loads(data)  # integers of any size stay whole
    except (ValueError, RecursionError):
        return document


def _arguments(args: Any) -> str:
    try:
        return arguments.as_text(args if isinstance(args, dict) else {})
    except (ValueError, RecursionError):
        return "{}"


def _seal(part: dict[str, Any]) -> Seal | None:
    data = part.get("thoughtSignature")
    return Seal(format=SealFormat.GOOGLE, data=data) if data and type(data) is str else None


def _logprobs(result: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return probabilities in OpenAI's form."""
    tops = dicts(result.get("topCandidates"))
    found = []
    for number, chosen in enumerate(dicts(result.get("chosenCandidates"))):
        candidates = dicts(tops[number].get("candidates")) if number < len(tops) else []
        found.append({**_token(chosen), "top_logprobs": [_token(one) for one in candidates]})
    return tuple(found)


def _token(told: dict[str, Any]) -> dict[str, Any]:
    token, value = word(told.get("token")), told.get("logProbability")
    number = float(value) if isinstance(value, (int, float)) else 0.0  # zero is left out
    return {"token": token, "logprob": number, "bytes": list(token.encode())}
