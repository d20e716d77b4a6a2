"""Our turns as Gemini's contents: results directly behind their calls (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from routing.conversation import (
    Image,
    Part,
    Role,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from routing.dialects import fields
from routing.errors import Code
from routing.translators.drops import Drops
from routing.translators.gemini_generate import ids
from routing.translators.gemini_generate.parts_out import PartWriter
from routing.translators.gemini_generate.writing import Json


@dataclass(slots=True)
class _Said:
    """What one side said, and the results of the calls in it."""

    role: Role
    parts: list[Part] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)


class ContentsWriter:
    """Writes the contents of one request."""

    def __init__(self, parts: PartWriter, drops: Drops) -> None:
        self._parts = parts
        self._drops = drops
        self._said: list[_Said] = []
        self._calls: list[ToolCall] = []
        self._results: dict[int, ToolResult] = {}
        self._open = ids.OpenCalls()

    def write(self, turns: Sequence[Turn]) -> list[Json]:
        """Write the turns. Raises: RelayError (400) about a call or a result that has no other."""
        for turn in turns:
            self._drops.drop_if("name", given=turn.name)
            if turn.role is Role.TOOL:
                self._take_results(turn)
            else:
                self._take(turn)
        contents: list[Json] = []
        for index, said in enumerate(self._said):
            contents += self._content(said, is_last=index == len(self._said) - 1)
        return contents

    def _take(self, turn: Turn) -> None:
        is_model = turn.role is Role.ASSISTANT
        latest = self._said[-1] if self._said else None
        # Calls of one answer may come as several turns; their results come in one.
        if (
            not is_model
            or latest is None
            or latest.role is not Role.ASSISTANT
            or self._has_results(latest)
        ):
            latest = _Said(turn.role)
            self._said.append(latest)
            if is_model:
                self._open.begin()
        for part in turn.parts:
            latest.parts.append(part)
            if isinstance(part, ToolCall):
                number = len(self._calls)
                self._calls.append(part)
                latest.calls.append(number)
                self._open.add(number, call_id=part.id, name=part.name)

    def _has_results(self, said: _Said) -> bool:
        return any(number in self._results for number in said.calls)

    def _take_results(self, turn: Turn) -> None:
        for part in turn.parts:
            if not isinstance(part, ToolResult):
                continue
            number = self._open.answer(call_id=part.call_id, name=part.name)
            if number is None:
                _refuse("A tool's result", part.call_id, "no call before it that waits for one")
            self._note_cache(part)
            self._results[number] = part

    def _content(self, said: _Said, *, is_last: bool) -> list[Json]:
        parts = self._written(said)
        role = "model" if said.role is Role.ASSISTANT else "user"
        contents: list[Json] = [{"role": role, "parts": parts}] if parts else []
        if not said.calls:
            return contents
        missing = [number for number in said.calls if number not in self._results]
        if missing and not (is_last and len(missing) == len(said.calls)):
            _refuse("A tool call", self._calls[missing[0]].id, "no result behind it")
        pairs = [(self._results[n], self._calls[n]) for n in said.calls if n in self._results]
        answered = [self._parts.response(result, call) for result, call in pairs]
        for result, call in pairs:
            answered += self._parts.beside(result, call)
        if answered:
            contents.append({"role": "user", "parts": answered})
        return contents

    def _note_cache(self, part: ToolCall | ToolResult) -> None:
        if part.cache is not None:
            self._drops.note("cache_control")

    def _written(self, said: _Said) -> list[Json]:
        if said.role is Role.SYSTEM:
            return _system(said)
        found: list[Json] = []
        has_calls = False
        for part in said.parts:
            if isinstance(part, ToolCall):
                self._note_cache(part)
                found.append(self._parts.call(part, is_first=not has_calls))
                has_calls = True
                continue
            where = "image_url" if isinstance(part, Image) else type(part).__name__.lower()
            written = self._parts.write(part, where)
            if written is not None:
                found.append(written)
        return found


def _system(said: _Said) -> list[Json]:
    """Write instructions amid the conversation where they stand: Gemini has no role for them."""
    texts = [part.text for part in said.parts if isinstance(part, Text) and part.text]
    return [{"text": f"<system-message>{text}</system-message>"} for text in texts]


def _refuse(what: str, call_id: str, why: str) -> NoReturn:
    shown = f" `{call_id[:64]}`" if call_id else ""
    fields.refuse(
        Code.INVALID_VALUE,
        f"{what}{shown} has {why}. Send every call of a model with one result for each.",
        "tool_call_id",
    )
