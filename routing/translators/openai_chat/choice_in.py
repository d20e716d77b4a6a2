"""One choice of a vendor's stream under way (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any

from routing.conversation import Seal, SealFormat
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
    TextDelta,
)
from routing.readers.answer import dicts, mapping, word
from routing.translators.openai_chat import pieces_in
from routing.translators.openai_chat.calls_in import Calls
from routing.translators.openai_chat.details import ENCRYPTED, SUMMARY, TEXT, format_of
from routing.translators.openai_chat.parts_in import thought


class Choice:
    """What of it is open, and what was seen."""

    __slots__ = (
        "_calls",
        "_detail",
        "_has_refusal",
        "_seals",
        "has_text",
        "index",
        "is_finished",
        "is_thinking",
    )

    def __init__(self, index: int, numbers: Iterator[int]) -> None:
        self.index = index
        self.is_finished = False
        self.is_thinking = False  # reasoning was told, and its end was not
        self._calls = Calls(index, numbers)
        self._detail: tuple[Any, SealFormat] = (None, SealFormat.UNKNOWN)  # the open entry
        self._seals: list[Seal] = []  # Google's, that wait for their call
        self.has_text = False
        self._has_refusal = False

    def take(self, choice: Mapping[str, Any], delta: Mapping[str, Any]) -> Iterator[Event]:
        """Take one chunk's part of this choice."""
        yield from self._think(delta)
        yield from self._say(delta)
        pieces = dicts(delta.get("tool_calls"))
        old = mapping(delta.get("function_call"))
        if old.get("name") or old.get("arguments"):
            pieces.append({"index": -1, "function": old})
        for piece in pieces:
            yield from self._calls.take(piece, self._seals)
        tokens = pieces_in.tokens(choice)
        if tokens:
            yield Logprobs(tokens=tokens, choice=self.index)

    def more_of_call(self, index: int, text: str, *, count: int) -> tuple[Event, ...] | None:
        """Take more of a call that runs; None when it is not as simple as that."""
        event = self._calls.more(index, text) if count == 1 else None
        return None if event is None else (event,)

    def more_thought(
        self, text: str, index: int, form: SealFormat, *, is_summary: bool
    ) -> tuple[Event, ...] | None:
        """Take more of the open entry; None when it is another."""
        if not self.is_thinking or self._detail != (index, form):
            return None
        return (ReasoningDelta(text=text, is_summary=is_summary, format=form, choice=self.index),)

    def close(self) -> Iterator[Event]:
        """End what is open."""
        yield from self._calls.close()
        for seal in self._seals:
            yield SealDelta(seal=Seal(format=seal.format, data=seal.data), choice=self.index)
        self._seals.clear()

    def finish(self, choice: Mapping[str, Any]) -> Finish:
        """Tell why it ended."""
        return Finish(
            reason=pieces_in.finish_of(
                word(choice.get("finish_reason")),
                has_calls=self._calls.has_any,
                has_refusal=self._has_refusal,
            ),
            native=pieces_in.native_finish(choice),
            choice=self.index,
        )

    def _think(self, delta: Mapping[str, Any]) -> Iterator[Event]:
        entries = dicts(delta.get("reasoning_details"))
        plain = word(delta.get("reasoning_content")) or word(delta.get("reasoning"))
        if plain and not any(entry.get("text") or entry.get("summary") for entry in entries):
            form = format_of(entries[0].get("format")) if entries else SealFormat.UNKNOWN
            yield self._thought(plain, form, is_summary=False)
        for entry in entries:
            kind = entry.get("type")
            if kind == ENCRYPTED:
                yield from self._sealed(entry)
            elif kind in (TEXT, SUMMARY):
                yield from self._detailed(entry, is_summary=kind == SUMMARY)

    def _thought(self, text: str, form: SealFormat, *, is_summary: bool) -> Event:
        self.is_thinking = True
        return ReasoningDelta(text=text, is_summary=is_summary, format=form, choice=self.index)

    def _detailed(self, entry: Mapping[str, Any], *, is_summary: bool) -> Iterator[Event]:
        index, form = entry.get("index"), format_of(entry.get("format"))
        open_index, open_form = self._detail
        is_other = index is not None and open_index is not None and index != open_index
        if self.is_thinking and is_other:
            yield self._end(None, open_form)
        if not self.is_thinking or form is not SealFormat.UNKNOWN:
            open_form = form
        self._detail = (index, open_form)
        text = word(entry.get("summary" if is_summary else "text"))
        if text:
            yield self._thought(text, open_form, is_summary=is_summary)
        signature = word(entry.get("signature"))
        if signature:
            yield self._end(Seal(format=open_form, data=signature), open_form)

    def _sealed(self, entry: Mapping[str, Any]) -> Iterator[Event]:
        data, form = word(entry.get("data")), format_of(entry.get("format"))
        if not data:
            return
        is_redacted = form is SealFormat.ANTHROPIC
        seal = Seal(format=form, data=data, id=word(entry.get("id")), is_redacted=is_redacted)
        if form is SealFormat.GOOGLE:
            if seal.id or not self.has_text:
                self._seals.append(seal)
            else:
                yield SealDelta(seal=seal, choice=self.index)
            return
        _, open_form = self._detail
        if self.is_thinking and (is_redacted or form is not open_form):
            yield self._end(None, open_form)
        yield self._end(seal, form)

    def _end(self, seal: Seal | None, form: SealFormat) -> Event:
        self.is_thinking = False
        self._detail = (None, SealFormat.UNKNOWN)
        return ReasoningEnd(seal=seal, format=form, id=seal.id if seal else "", choice=self.index)

    def _say(self, delta: Mapping[str, Any]) -> Iterator[Event]:
        yield from self._content(delta.get("content"))
        refusal = word(delta.get("refusal"))
        if refusal:
            self._has_refusal = True
            yield RefusalDelta(text=refusal, choice=self.index)
        audio = mapping(delta.get("audio"))
        if audio:
            yield self._sound(audio)
        for image in pieces_in.images(delta):
            yield MediaOut(image=image, choice=self.index)
        for citation in pieces_in.annotations(delta):
            yield Cited(citation=citation, choice=self.index)

    def _content(self, content: Any) -> Iterator[Event]:
        if isinstance(content, str):
            if content:
                yield self._text(content)
            return
        for part in dicts(content):  # Mistral
            if part.get("type") == "thinking":
                if text := thought(part):
                    yield self._thought(text, SealFormat.UNKNOWN, is_summary=False)
            elif text := word(part.get("text")):
                yield self._text(text)

    def _text(self, text: str) -> Event:
        self.has_text = True
        return TextDelta(text=text, choice=self.index)

    def _sound(self, audio: Mapping[str, Any]) -> Event:
        expires = audio.get("expires_at")
        return AudioDelta(
            data=word(audio.get("data")),
            transcript=word(audio.get("transcript")),
            id=word(audio.get("id")),
            expires_at=expires if isinstance(expires, int) else None,
            choice=self.index,
        )
