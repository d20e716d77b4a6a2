"""Reads the turns of a request in Anthropic's shape (pure)."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from routing.conversation import (
    Part,
    Reasoning,
    Role,
    Seal,
    SealFormat,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from routing.dialects import fields
from routing.errors import Code
from routing.translators.anthropic_messages import blocks, parts_in

# Whole types of blocks that tell what the vendor's own tools did: native only.
_SERVER: Final = frozenset(
    {"server_tool_use", "mcp_tool_use", "mcp_tool_listing", "fallback", "container_upload"}
)


class Turns:
    """Collects turns; notes what the vocabulary has no word for."""

    __slots__ = ("_key", "dropped", "instructions", "tools", "turns")

    def __init__(self, *, key: bytes) -> None:
        self._key = key
        self.turns: list[Turn] = []
        self.instructions: list[Text] = []  # of system turns before all others
        self.tools: list[tuple[Mapping[str, Any], str]] = []  # that system turns add
        self.dropped: list[str] = []

    def read(self, messages: list[Any]) -> None:
        """Read all turns. Raises: RelayError (400) naming the field."""
        for index, entry in enumerate(messages):
            param = f"messages[{index}]"
            message = fields.entry(entry, param)
            role = message.get("role")
            if role == "user":
                self._user(message.get("content"), f"{param}.content")
            elif role == "assistant":
                self._assistant(message.get("content"), f"{param}.content")
            elif role == "system":
                self._system(message.get("content"), f"{param}.content")
            else:
                _refuse_role(role, f"{param}.role")
        _name_results(self.turns)

    def _user(self, content: Any, param: str) -> None:
        results: list[Part] = []
        others: list[Part] = []
        for block, where in _entries(content, param):
            if block.get("type") == "tool_result":
                results.append(parts_in.tool_result(block, where))
            else:
                others += parts_in.content_part(block, where)
        if results:
            self._results(tuple(results))
        if others or not results:
            self.turns.append(Turn(role=Role.USER, parts=tuple(others)))

    def _results(self, results: tuple[Part, ...]) -> None:
        if self.turns and self.turns[-1].role is Role.TOOL:
            results = self.turns.pop().parts + results
        self.turns.append(Turn(role=Role.TOOL, parts=results))

    def _system(self, content: Any, param: str) -> None:
        texts: list[Text] = []
        for block, where in _entries(content, param):
            kind = block.get("type")
            if kind == "text":
                texts += parts_in.text_part(block, where)
            elif kind == "tool_addition":
                tool = fields.entry(block.get("tool"), f"{where}.tool")
                if "reference" not in str(tool.get("type")):  # else it stands in `tools` already
                    self.tools.append((tool, f"{where}.tool"))
            elif kind == "tool_removal":
                self.dropped.append("tool_removal")
            else:
                parts_in.refuse_kind(block, where)
        if not self.turns:
            self.instructions += texts
        elif texts:
            self.turns.append(Turn(role=Role.SYSTEM, parts=tuple(texts)))

    def _assistant(self, content: Any, param: str) -> None:
        parts: list[Part] = []
        for block, where in _entries(content, param):
            kind = block.get("type")
            if kind == "text":
                parts += parts_in.text_part(block, where)
            elif kind == "tool_use":
                parts.append(parts_in.tool_call(block, where))
            elif kind == "thinking":
                _keep(parts, parts_in.thinking(block, where, key=self._key))
            elif kind == "redacted_thinking":
                _keep(parts, parts_in.redacted(block, where, key=self._key))
            elif kind in ("image", "document"):
                parts += parts_in.content_part(block, where)
            else:
                parts += self._vendors_own(block, where)
        self.turns.append(Turn(role=Role.ASSISTANT, parts=tuple(_placed(parts))))

    def _vendors_own(self, block: Mapping[str, Any], param: str) -> list[Text]:
        """Drop what the vendor's own tools did; its summary of what went before stays."""
        kind = block.get("type")
        if kind == "compaction":
            return parts_in.text_blocks(block.get("content"), f"{param}.content")
        if str(kind) not in _SERVER and not str(kind).endswith("_tool_result"):
            parts_in.refuse_kind(block, param)
        self.dropped.append("server_tool_use")
        return []


def _entries(content: Any, param: str) -> list[tuple[dict[str, Any], str]]:
    """Return blocks with their places; a string is one block of text."""
    if type(content) is str:
        return [({"type": "text", "text": content}, param)]
    if type(content) is not list:
        fields.refuse_type(content, "a string or an array", param)
    places = (f"{param}[{number}]" for number in range(len(content)))
    return [
        (fields.entry(entry, where), where) for entry, where in zip(content, places, strict=True)
    ]


def _refuse_role(role: Any, param: str) -> None:
    if type(role) is not str:
        fields.refuse_type(role, "a string", param)
    fields.refuse(
        Code.INVALID_VALUE,
        f"`{param}` must be user, assistant or system. Change it.",
        param,
    )


def _keep(parts: list[Part], reasoning: Reasoning) -> None:
    """Keep reasoning; what neither says anything nor has a seal that opens is none."""
    if reasoning.text or reasoning.seal:
        parts.append(reasoning)


def _placed(parts: list[Part]) -> list[Part]:
    """Put Gemini's seals back where they stood: on the text before, or on a call."""
    found: list[Part] = []
    for_calls: dict[str, Seal] = {}
    for part in parts:
        seal = part.seal if isinstance(part, Reasoning) else None
        if seal is not None and seal.format is SealFormat.GOOGLE and seal.id:
            _take_placed(found, part, seal, for_calls)
        elif isinstance(part, ToolCall) and part.id in for_calls:
            found.append(msgspec.structs.replace(part, seal=for_calls.pop(part.id)))
        else:
            found.append(part)
    return found


def _take_placed(found: list[Part], part: Part, seal: Seal, for_calls: dict[str, Seal]) -> None:
    plain = msgspec.structs.replace(seal, id="")
    latest = found[-1] if found else None
    if seal.id == blocks.ON_TEXT and isinstance(latest, Text) and latest.seal is None:
        found[-1] = msgspec.structs.replace(latest, seal=plain)
        return
    if seal.id in (blocks.ON_TEXT, blocks.ON_NOTHING):
        found.append(Text(text="", seal=plain))
        return
    for_calls[seal.id] = plain
    if isinstance(part, Reasoning) and part.text:
        found.append(msgspec.structs.replace(part, seal=None))


def _name_results(turns: list[Turn]) -> None:
    """Tell each result the name of its tool: some wire formats go by it."""
    names: dict[str, str] = {}
    for index, turn in enumerate(turns):
        if turn.role is Role.ASSISTANT:
            names |= {part.id: part.name for part in turn.parts if isinstance(part, ToolCall)}
        elif turn.role is Role.TOOL:
            named = tuple(
                msgspec.structs.replace(part, name=names.get(part.call_id, ""))
                for part in turn.parts
                if isinstance(part, ToolResult)
            )
            turns[index] = msgspec.structs.replace(turn, parts=named)
