"""A whole answer out of events, and events out of a whole answer (pure)."""

from collections.abc import Iterable, Iterator
from typing import Any

from routing.conversation import (
    Answer,
    Audio,
    Choice,
    Citation,
    Image,
    Part,
    Reasoning,
    Refusal,
    SealFormat,
    Text,
    ToolCall,
)
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


def fold(events: Iterable[Event]) -> Answer:
    """Put the parts together that the events brought, in order."""
    choices: dict[int, _Folding] = {}
    for event in events:
        if isinstance(event, Start):
            continue
        folding = choices.get(event.choice)
        if folding is None:
            folding = choices[event.choice] = _Folding()
        folding.take(event)
    return Answer(choices=tuple(choices[index].choice() for index in sorted(choices)))


def unfold(answer: Answer) -> list[Event]:
    """Tell a whole answer as events: one delta for each part."""
    events: list[Event] = [Start()]
    calls = 0
    for index, choice in enumerate(answer.choices):
        if choice.logprobs:
            events.append(Logprobs(tokens=choice.logprobs, choice=index))
        for part in choice.parts:
            events += events_of(part, call=calls, choice=index)
            calls += isinstance(part, ToolCall)
        if choice.finish is not None:
            events.append(
                Finish(
                    reason=choice.finish,
                    native=choice.native_finish,
                    stop_sequence=choice.stop_sequence,
                    choice=index,
                )
            )
    return events


def events_of(part: Part, *, call: int = 0, choice: int = 0) -> Iterator[Event]:
    """Tell one part as events; `call` is the number of a call."""
    if isinstance(part, Text):
        yield from _text_events(part, choice)
    elif isinstance(part, Reasoning):
        yield from _reasoning_events(part, choice)
    elif isinstance(part, ToolCall):
        yield from _call_events(part, call, choice)
    elif isinstance(part, Refusal):
        yield RefusalDelta(text=part.text, choice=choice)
    elif isinstance(part, Image):
        yield MediaOut(image=part, choice=choice)
    elif isinstance(part, Audio):
        yield AudioDelta(
            data=part.data,
            transcript=part.transcript,
            id=part.id,
            mime=part.mime,
            expires_at=part.expires_at,
            choice=choice,
        )


def _text_events(part: Text, choice: int) -> Iterator[Event]:
    yield TextDelta(text=part.text, choice=choice)
    for citation in part.citations:
        yield Cited(citation=citation, choice=choice)
    if part.seal is not None:
        yield SealDelta(seal=part.seal, choice=choice)
    yield TextEnd(choice=choice)


def _reasoning_events(part: Reasoning, choice: int) -> Iterator[Event]:
    if part.text:
        yield ReasoningDelta(
            text=part.text,
            is_summary=part.is_summary,
            format=part.format,
            id=part.id,
            choice=choice,
        )
    yield ReasoningEnd(seal=part.seal, format=part.format, id=part.id, choice=choice)


def _call_events(part: ToolCall, call: int, choice: int) -> Iterator[Event]:
    yield ToolStart(
        call=call,
        id=part.id,
        name=part.name,
        is_custom=part.is_custom,
        seal=part.seal,
        choice=choice,
    )
    yield ToolDelta(call=call, arguments=part.arguments, choice=choice)
    yield ToolEnd(call=call, choice=choice)


class _Folding:
    """The parts of one choice under way. Open parts are lists of pieces, joined at the end."""

    def __init__(self) -> None:
        self.parts: list[_Open | Part] = []
        self.calls: dict[int, _Open] = {}
        self.logprobs: list[Any] = []
        self.finish: Finish | None = None

    def take(self, event: Event) -> None:
        if isinstance(event, ToolStart):
            opened = _Open(event)
            self.parts.append(opened)
            self.calls[event.call] = opened
        elif isinstance(event, ToolDelta):
            self.calls[event.call].pieces.append(event.arguments)
        elif isinstance(event, MediaOut):
            self.parts.append(event.image)
        elif isinstance(event, Logprobs):
            self.logprobs += event.tokens
        elif isinstance(event, Finish):
            self.finish = self.finish or event
        elif isinstance(event, (TextEnd, ToolEnd)):
            self._close(event)
        elif not isinstance(event, Start):
            self._grow(event)

    def _close(self, event: TextEnd | ToolEnd) -> None:
        latest = self.parts[-1] if self.parts else None
        if isinstance(event, TextEnd) and isinstance(latest, _Open):
            latest.is_closed = latest.is_closed or isinstance(latest.first, TextDelta)

    def _grow(self, event: Event) -> None:
        latest = self.parts[-1] if self.parts else None
        if not isinstance(latest, _Open) or not latest.takes(event):
            latest = _Open(_first(event))
            self.parts.append(latest)
        latest.take(event)

    def choice(self) -> Choice:
        finish = self.finish
        parts = (part.part() if isinstance(part, _Open) else part for part in self.parts)
        return Choice(
            parts=tuple(part for part in parts if part is not None),
            finish=finish.reason if finish else None,
            native_finish=finish.native if finish else "",
            stop_sequence=finish.stop_sequence if finish else "",
            logprobs=tuple(self.logprobs),
        )


def _first(event: Event) -> Event:
    """Return what a part begins with when this event is the first of it."""
    if isinstance(event, (Cited, SealDelta)):
        return TextDelta(text="")
    if isinstance(event, ReasoningEnd):
        return ReasoningDelta(text="", format=event.format)
    return event


class _Open:
    """One part that still grows."""

    def __init__(self, first: Event) -> None:
        self.first = first
        self.pieces: list[str] = []
        self.transcripts: list[str] = []
        self.expires_at: int | None = None  # of sound: told with its last piece
        self.citations: list[Citation] = []
        self.ending: ReasoningEnd | SealDelta | None = None
        self.is_closed = False

    def takes(self, event: Event) -> bool:
        """Tell whether the event belongs to this part."""
        if self.is_closed:
            return False
        first = self.first
        if isinstance(event, (Cited, SealDelta)):
            return isinstance(first, TextDelta)
        if isinstance(event, ReasoningDelta):
            return (
                isinstance(first, ReasoningDelta)
                and first.is_summary == event.is_summary
                and first.format == event.format
            )
        if isinstance(event, ReasoningEnd):
            return isinstance(first, ReasoningDelta)
        return type(first) is type(event)

    def take(self, event: Event) -> None:
        if isinstance(event, Cited):
            self.citations.append(event.citation)
        elif isinstance(event, ReasoningEnd):
            self.ending, self.is_closed = event, True
        elif isinstance(event, SealDelta):
            self.ending = event
        elif isinstance(event, AudioDelta):
            self.pieces.append(event.data)
            self.transcripts.append(event.transcript)
            self.expires_at = event.expires_at or self.expires_at
        elif isinstance(event, (TextDelta, ReasoningDelta, RefusalDelta)):
            self.pieces.append(event.text)

    def part(self) -> Part | None:
        """Return the part; None when nothing came of it."""
        first, joined = self.first, "".join(self.pieces)
        if isinstance(first, ToolStart):
            return ToolCall(
                id=first.id, name=first.name, arguments=joined, is_custom=first.is_custom,
                seal=first.seal,
            )  # fmt: skip
        if isinstance(first, RefusalDelta):
            return Refusal(text=joined)
        if isinstance(first, AudioDelta):
            return Audio(
                data=joined, transcript="".join(self.transcripts), id=first.id, mime=first.mime,
                expires_at=self.expires_at,
            )  # fmt: skip
        if isinstance(first, ReasoningDelta):
            return self._reasoning(first, joined)
        seal = self.ending.seal if isinstance(self.ending, SealDelta) else None
        if not (joined or seal or self.citations):
            return None
        return Text(text=joined, citations=tuple(self.citations), seal=seal)

    def _reasoning(self, first: ReasoningDelta, joined: str) -> Part | None:
        ending = self.ending if isinstance(self.ending, ReasoningEnd) else None
        seal = ending.seal if ending else None
        if not joined and seal is None:
            return None
        known = ending.format if ending else SealFormat.UNKNOWN
        return Reasoning(
            text=joined,
            is_summary=first.is_summary,
            format=first.format if first.format is not SealFormat.UNKNOWN else known,
            seal=seal,
            id=(ending.id if ending else "") or first.id,
        )
