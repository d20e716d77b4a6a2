"""The calls of one choice in a vendor's stream, whatever it numbers them by (pure)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from routing.conversation import Seal
from routing.events import Event, ToolDelta, ToolEnd, ToolStart
from routing.readers.answer import mapping, word
from routing.translators.openai_chat import pieces_in


class Calls:
    """Tells pieces of calls as events.

    A piece belongs to the call of its index. Where there is none (Google, Mistral, Ollama;
    recorded 2026), a new id or a name begins a call, and anything else continues the latest.
    """

    __slots__ = ("_by_id", "_by_index", "_choice", "_latest", "_numbers", "_open", "has_any")

    def __init__(self, choice: int, numbers: Iterator[int]) -> None:
        self._choice = choice
        self._numbers = numbers  # of the calls of the whole answer
        self._by_index: dict[int, _Call] = {}
        self._by_id: dict[str, _Call] = {}
        self._latest: _Call | None = None
        self._open: list[_Call] = []
        self.has_any = False  # a call began

    def take(self, piece: Mapping[str, Any], seals: list[Seal]) -> Iterator[Event]:
        """Take one piece; a call that it begins takes its seal out of these."""
        is_custom = piece.get("type") == "custom" or "custom" in piece
        function = mapping(piece.get("custom" if is_custom else "function"))
        call, is_new = self._of(piece, word(function.get("name")))
        if call is None:
            return
        if is_new:
            call.is_custom = is_custom
            yield from self._end_complete()
            self._open.append(call)
        call.id = call.id or word(piece.get("id"))
        call.name = call.name or word(function.get("name"))
        call.seal = call.seal or pieces_in.google_seal(piece)
        text = word(function.get("input")) if is_custom else pieces_in.arguments_of(function)
        yield from self._grow(call, text, seals)

    def more(self, index: int, text: str) -> Event | None:
        """Take more arguments of a running call; None when there is none of this index."""
        call = self._by_index.get(index)
        if call is None or not call.is_started or call.is_ended or not text:
            return None
        call.feed(text)
        return ToolDelta(call=call.number, arguments=text, choice=self._choice)

    def close(self) -> Iterator[Event]:
        """End what is open; a call without a name was none."""
        for call in self._open:
            if call.is_started:
                yield ToolEnd(call=call.number, choice=self._choice)
        self._open.clear()

    def _of(self, piece: Mapping[str, Any], name: str) -> tuple["_Call | None", bool]:
        index, piece_id = piece.get("index"), word(piece.get("id"))
        if type(index) is int:
            known = self._by_index.get(index)
            # One index for several calls: the id tells them apart.
            is_other = bool(name and piece_id) and known is not None and known.id != piece_id
            if known is not None and not (is_other and known.id):
                return known, False
        elif piece_id in self._by_id:
            return self._by_id[piece_id], False
        elif not piece_id and not name:
            return self._latest, False
        call = _Call()
        if type(index) is int:
            self._by_index[index] = call
        if piece_id:
            self._by_id[piece_id] = call
        self._latest = call
        return call, True

    def _grow(self, call: "_Call", text: str, seals: list[Seal]) -> Iterator[Event]:
        if call.is_ended:
            return
        if not call.is_started:
            if not call.name:  # it comes in a later piece
                call.held += text
                return
            call.is_started, call.number = True, next(self._numbers)
            self.has_any = True
            text = call.held + text
            yield ToolStart(
                call=call.number,
                id=call.id,
                name=call.name,
                is_custom=call.is_custom,
                seal=call.seal or _seal_for(call.id, seals),
                choice=self._choice,
            )
        if text:
            call.feed(text)
            yield ToolDelta(call=call.number, arguments=text, choice=self._choice)

    def _end_complete(self) -> Iterator[Event]:
        """End the calls whose arguments are whole: another one begins."""
        for call in [call for call in self._open if call.is_complete]:
            self._open.remove(call)
            call.is_ended = True
            yield ToolEnd(call=call.number, choice=self._choice)


def _seal_for(call_id: str, seals: list[Seal]) -> Seal | None:
    for seal in seals:
        if not seal.id or seal.id == call_id:
            seals.remove(seal)
            return Seal(format=seal.format, data=seal.data)
    return None


_MARKS: Final = re.compile(r'\\(?:.|$)|[{}\[\]"]', re.DOTALL)


class _Call:
    """One call under way, and how deep its arguments are nested."""

    __slots__ = (
        "_depth",
        "_in_string",
        "_is_cut",
        "_is_empty",
        "held",
        "id",
        "is_custom",
        "is_ended",
        "is_started",
        "name",
        "number",
        "seal",
    )

    def __init__(self) -> None:
        self.number = 0
        self.id = ""
        self.name = ""
        self.seal: Seal | None = None
        self.held = ""  # arguments that came before the name
        self.is_custom = False
        self.is_started = False
        self.is_ended = False
        self._depth = 0
        self._in_string = False
        self._is_cut = False  # the text so far ends inside an escape
        self._is_empty = True

    @property
    def is_complete(self) -> bool:
        """Whether the arguments so far are a whole object."""
        return not (self._is_empty or self._depth or self._in_string)

    def feed(self, text: str) -> None:
        """Take more of the arguments."""
        is_cut = False
        for match in _MARKS.finditer(text, int(self._is_cut)):
            mark = match.group()
            if mark[0] == "\\":
                is_cut = len(mark) == 1
            elif mark == '"':
                self._in_string = not self._in_string
            elif not self._in_string:
                self._depth += 1 if mark in "{[" else -1
                self._is_empty = False
        self._is_cut = is_cut
