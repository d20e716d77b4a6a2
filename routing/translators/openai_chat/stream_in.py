"""A vendor's stream of chunks as events (pure)."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec
import orjson

from routing.conversation import Citation
from routing.events import Cited, Event, ReasoningDelta, Start, TextDelta
from routing.readers.answer import dicts, mapping, word
from routing.translators.base import StreamDecoder
from routing.translators.openai_chat import pieces_in
from routing.translators.openai_chat.choice_in import Choice
from routing.translators.openai_chat.details import SUMMARY, format_of

_DONE = b"[DONE]"


class _Function(msgspec.Struct, gc=False):
    arguments: str
    name: None = None


class _Call(msgspec.Struct, gc=False):
    """More of a call that has begun."""

    index: int
    function: _Function
    id: None = None
    type: str | None = None


class _Entry(msgspec.Struct, gc=False):
    """More of a text in `reasoning_details`."""

    type: Literal["reasoning.text", "reasoning.summary"]
    index: int
    format: str | None = None
    text: str | None = None
    summary: str | None = None
    signature: None = None


class _Delta(msgspec.Struct, gc=False):
    """What most chunks bring; a type that does not fit sends the chunk the long way."""

    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: None = None
    refusal: None = None
    audio: None = None
    images: None = None
    annotations: None = None
    reasoning_details: list[_Entry] | None = None


class _Piece(msgspec.Struct, gc=False):
    delta: _Delta
    index: int = 0
    finish_reason: None = None
    logprobs: None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Piece]
    citations: None = None
    search_results: None = None
    error: None = None


_decode_chunk = msgspec.json.Decoder(_Chunk).decode


def stream_decoder() -> StreamDecoder:
    """Make the decoder of one attempt's stream."""
    return ChatDecoder()


class ChatDecoder:
    """Tells a stream's chunks as events; keeps no text."""

    __slots__ = ("_choices", "_is_started", "_numbers", "_sources")

    def __init__(self) -> None:
        self._is_started = False
        self._choices: dict[int, Choice] = {}
        self._numbers = itertools.count()
        self._sources: tuple[Citation, ...] = ()

    def decode(self, data: bytes) -> Iterable[Event]:
        """Take the data of one event."""
        try:
            choices = _decode_chunk(data).choices
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return list(self._slow(data))
        if len(choices) == 1:
            choice = choices[0]
            state = self._choices.get(choice.index)
            if state is not None and not state.is_finished:
                events = _plain(choice.delta, state)
                if events is not None:
                    return events
        return list(self._slow(data))

    def end(self) -> Iterable[Event]:
        """Take the end of the stream."""
        events: list[Event] = []
        for state in self._choices.values():
            if not state.is_finished:
                state.is_finished = True
                events += self._close(state)
        return events

    def _slow(self, data: bytes) -> Iterator[Event]:
        if data.strip() == _DONE:
            yield from self.end()
            return
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            return
        if not isinstance(document, dict):
            return
        if not self._is_started:
            self._is_started = True
            yield Start()
        self._sources = tuple(pieces_in.sources(document)) or self._sources
        for choice in dicts(document.get("choices")):
            yield from self._choice(choice, is_error=bool(document.get("error")))

    def _choice(self, choice: Mapping[str, Any], *, is_error: bool) -> Iterator[Event]:
        index = choice.get("index")
        index = index if type(index) is int and index >= 0 else 0
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = Choice(index, self._numbers)
        if state.is_finished:
            return  # a second finish, beside a usage
        delta = mapping(choice.get("delta") or choice.get("message"))
        yield from state.take(choice, delta)
        native = word(choice.get("finish_reason"))
        if native and not is_error:
            state.is_finished = True
            yield from self._close(state)
            yield state.finish(choice)

    def _close(self, state: Choice) -> Iterator[Event]:
        yield from state.close()
        for citation in self._sources:
            yield Cited(citation=citation, choice=state.index)
        self._sources = ()


def _plain(delta: _Delta, state: Choice) -> Iterable[Event] | None:
    """Tell a chunk that brings more of one thing, or nothing; None: it brings more than that."""
    text, entries, calls = delta.content, delta.reasoning_details, delta.tool_calls
    thought = delta.reasoning_content or delta.reasoning
    if not (thought or entries or calls):
        if not text:
            return ()
        state.has_text = True
        return (TextDelta(text=text, choice=state.index),)
    if text or (calls and (thought or entries)):
        return None
    if calls:
        return state.more_of_call(calls[0].index, calls[0].function.arguments, count=len(calls))
    return _thought(thought, entries, state)


def _thought(
    thought: str | None, entries: list[_Entry] | None, state: Choice
) -> Iterable[Event] | None:
    if not entries:
        state.is_thinking = True
        return (ReasoningDelta(text=thought or "", choice=state.index),)
    entry = entries[0]
    is_summary = entry.type == SUMMARY
    text = entry.summary if is_summary else entry.text
    if len(entries) > 1 or not text:
        return None
    return state.more_thought(text, entry.index, format_of(entry.format), is_summary=is_summary)
