"""A vendor's stream of Responses in our words (pure)."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from routing.conversation import FinishReason, SealFormat
from routing.events import (
    Cited,
    Event,
    Finish,
    Logprobs,
    MediaOut,
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
from routing.translators import folding
from routing.translators.base import StreamDecoder
from routing.translators.openai_responses import answer_in
from routing.translators.openai_responses.answer_in import CALLS, dicts, word

Events = Iterable[Event]


class _Event(msgspec.Struct, frozen=True, gc=False):
    """What is read of any event; vendors differ in all but the type."""

    type: str
    delta: Any = None
    output_index: Any = 0
    logprobs: Any = None
    summary_index: Any = 0
    content_index: Any = 0
    item: Any = None
    part: Any = None
    annotation: Any = None
    text: Any = None
    refusal: Any = None
    arguments: Any = None
    input: Any = None
    response: Any = None


_decode: Final = msgspec.json.Decoder(_Event).decode


class _Open:
    """One item under way."""

    __slots__ = ("call", "cited", "has_text", "id", "is_told", "piece", "said")

    def __init__(self, item_id: str = "") -> None:
        self.id = item_id
        self.call = -1  # its number among the calls; -1: it is none
        self.piece: Any = None  # the part of the reasoning under way
        self.said = ""  # the kind of the part under way that has brought something
        self.has_text = False  # a text part is open
        self.cited = 0  # sources told of the part under way
        self.is_told = False  # anything of the item was told


class Decoder:
    """Keeps what is open, by its place in the output, and nothing of what was said."""

    __slots__ = ("_calls", "_has_items", "_is_over", "_is_started", "_open", "_readers")

    def __init__(self) -> None:
        self._is_started = False
        self._has_items = False
        self._is_over = False
        self._calls = 0
        self._open: dict[Any, _Open] = {}
        self._readers: dict[str, Callable[[_Event], Events]] = {
            "response.output_text.delta": self._text,
            "response.output_text.done": self._text_done,
            "response.output_text.annotation.added": self._annotation,
            "response.refusal.delta": self._refusal,
            "response.refusal.done": self._refusal_done,
            "response.reasoning_summary_text.delta": self._summary,
            "response.reasoning_text.delta": self._thought,
            "response.function_call_arguments.delta": self._arguments,
            "response.custom_tool_call_input.delta": self._arguments,
            "response.content_part.done": self._part_done,
            "response.output_item.added": self._item_added,
            "response.output_item.done": self._item_done,
            "response.completed": self._completed,
            "response.incomplete": self._completed,
        }

    def decode(self, data: bytes) -> Events:
        """Take the data of one event; what cannot be read is skipped."""
        try:
            event = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ()
        read = self._readers.get(event.type)
        if self._is_started:
            return read(event) if read is not None else ()
        if read is None and event.type not in ("response.created", "response.in_progress"):
            return ()  # an error; its reader tells it
        self._is_started = True
        return (Start(), *(read(event) if read is not None else ()))

    def end(self) -> Events:
        """Take the end of the stream: ends what is open."""
        events: list[Event] = []
        for opened in self._open.values():
            if opened.call >= 0:
                events.append(ToolEnd(call=opened.call))
            elif opened.has_text:
                events.append(TextEnd())
        self._open.clear()
        return events

    def _at(self, event: _Event) -> _Open:
        """Return the item that the event is about; vendors may not have told its beginning."""
        key = event.output_index if type(event.output_index) is int else None
        opened = self._open.get(key)
        if opened is None:
            opened = self._open[key] = _Open()
        self._has_items = True
        return opened

    def _text(self, event: _Event) -> Events:
        text = event.delta
        logprobs = dicts(event.logprobs) if event.logprobs else ()
        if type(text) is not str or not (text or logprobs):
            return ()
        opened = self._at(event)
        opened.has_text = opened.is_told = True
        opened.said = "text"
        if not logprobs:
            return (TextDelta(text=text),)
        return (TextDelta(text=text), Logprobs(tokens=tuple(logprobs)))

    def _text_done(self, event: _Event) -> Events:
        """Read text that came without deltas."""
        opened = self._at(event)
        text = word(event.text)
        if opened.said == "text" or not text:
            return ()
        opened.has_text = opened.is_told = True
        opened.said = "text"
        return (TextDelta(text=text),)

    def _annotation(self, event: _Event) -> Events:
        opened = self._at(event)
        opened.cited += 1
        citation = answer_in.citation_of(event.annotation)
        if citation is None:
            return ()
        opened.has_text = opened.is_told = True
        return (Cited(citation=citation),)

    def _refusal(self, event: _Event) -> Events:
        text = word(event.delta)
        if not text:
            return ()
        opened = self._at(event)
        opened.said, opened.is_told = "refusal", True
        return (RefusalDelta(text=text),)

    def _refusal_done(self, event: _Event) -> Events:
        opened = self._at(event)
        text = word(event.refusal)
        if opened.said == "refusal" or not text:
            return ()
        opened.said, opened.is_told = "refusal", True
        return (RefusalDelta(text=text),)

    def _part_done(self, event: _Event) -> Events:
        """Read the end of a part of a message, with the sources that no event told."""
        part = event.part if isinstance(event.part, dict) else {}
        if part.get("type") not in ("output_text", "refusal"):
            return ()
        opened = self._at(event)
        events: list[Event] = []
        if part["type"] == "output_text":
            events += self._text_done(_Event(type="", text=part.get("text"),
                                             output_index=event.output_index))  # fmt: skip
            for annotation in dicts(part.get("annotations"))[opened.cited :]:
                events += self._annotation(_Event(type="", annotation=annotation,
                                                  output_index=event.output_index))  # fmt: skip
            if opened.has_text:
                events.append(TextEnd())
        else:
            events += self._refusal_done(_Event(type="", refusal=part.get("refusal"),
                                                output_index=event.output_index))  # fmt: skip
        opened.has_text, opened.said, opened.cited = False, "", 0
        return events

    def _summary(self, event: _Event) -> Events:
        return self._reasoning(event, ("summary", event.summary_index), SealFormat.OPENAI)

    def _thought(self, event: _Event) -> Events:
        return self._reasoning(event, ("text", event.content_index), SealFormat.UNKNOWN)

    def _reasoning(self, event: _Event, piece: tuple[str, Any], origin: SealFormat) -> Events:
        text = word(event.delta)
        if not text:
            return ()
        opened = self._at(event)
        latest = opened.piece
        if latest is not None and latest != piece and latest[0] == piece[0]:
            text = f"\n\n{text}"  # parts of one summary are one text here
        opened.piece, opened.is_told = piece, True
        return (
            ReasoningDelta(
                text=text, is_summary=piece[0] == "summary", format=origin, id=opened.id
            ),
        )

    def _arguments(self, event: _Event) -> Events:
        text = word(event.delta)
        opened = self._open.get(event.output_index if type(event.output_index) is int else None)
        if not text or opened is None or opened.call < 0:
            return ()
        opened.is_told = True
        return (ToolDelta(call=opened.call, arguments=text),)

    def _item_added(self, event: _Event) -> Events:
        item = event.item if isinstance(event.item, dict) else {}
        opened = self._at(event)
        opened.id = word(item.get("id"))
        return self._call(opened, item) if word(item.get("type")) in CALLS else ()

    def _call(self, opened: _Open, item: dict[str, Any]) -> Events:
        opened.call = self._calls
        self._calls += 1
        start = ToolStart(
            call=opened.call,
            id=word(item.get("call_id")) or word(item.get("id")),
            name=word(item.get("name")),
            is_custom=item["type"] == "custom_tool_call",
        )
        return (start,)

    def _item_done(self, event: _Event) -> Events:
        item = event.item if isinstance(event.item, dict) else {}
        opened = self._at(event)
        del self._open[event.output_index if type(event.output_index) is int else None]
        kind = word(item.get("type"))
        if kind in CALLS:
            return self._call_done(opened, item)
        if kind == "reasoning":
            return self._reasoning_done(opened, item)
        if kind == "image_generation_call":
            picture = answer_in.image_of(item)
            return () if picture is None else (MediaOut(image=picture),)
        if kind == "message" and not opened.is_told:
            return _told(item)
        return (TextEnd(),) if opened.has_text else ()

    def _call_done(self, opened: _Open, item: dict[str, Any]) -> Events:
        events: list[Event] = []
        if opened.call < 0:
            events += self._call(opened, item)
        whole = answer_in.arguments_of(item)
        if whole and not opened.is_told:
            events.append(ToolDelta(call=opened.call, arguments=whole))
        events.append(ToolEnd(call=opened.call))
        return events

    def _reasoning_done(self, opened: _Open, item: dict[str, Any]) -> Events:
        seal = answer_in.seal_of(item)
        if not opened.is_told:
            return _told(item)
        is_summary = opened.piece is not None and opened.piece[0] == "summary"
        origin = SealFormat.OPENAI if is_summary else answer_in.format_of(seal)
        return (ReasoningEnd(seal=seal, format=origin, id=word(item.get("id")) or opened.id),)

    def _completed(self, event: _Event) -> Events:
        if self._is_over:
            return ()
        self._is_over = True
        document = event.response if isinstance(event.response, dict) else {}
        events = [*self.end()]
        if not self._has_items:  # a vendor that tells everything at once
            events += (
                one
                for one in folding.unfold(answer_in.decode_answer(document))
                if not isinstance(one, (Start, Finish))
            )
        reason, native = answer_in.finish_of(document)
        if reason is FinishReason.STOP and self._calls:  # not every vendor repeats its items
            reason = FinishReason.TOOL_CALLS
        events.append(Finish(reason=reason, native=native))
        return events


def _told(item: dict[str, Any]) -> Events:
    """Tell an item that came whole."""
    return [event for part in answer_in.parts_of(item) for event in folding.events_of(part)]


def stream_decoder() -> StreamDecoder:
    """Make the decoder of one attempt's stream."""
    return Decoder()
