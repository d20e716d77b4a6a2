"""Our turns as input items of a Responses request (pure)."""

from collections.abc import Iterable
from typing import Any, Final, NoReturn

from routing.conversation import (
    Audio,
    Image,
    Part,
    Reasoning,
    Refusal,
    Request,
    Role,
    SealFormat,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from routing.dialects import fields
from routing.errors import Code
from routing.translators import arguments
from routing.translators.base import Target
from routing.translators.drops import Drops
from routing.translators.names import Names, legal_id
from routing.translators.openai_responses import parts_out

_ROLES: Final = {Role.USER: "user", Role.ASSISTANT: "assistant"}
Item = dict[str, Any]


class Items:
    """Writes turns one by one; the same turns give the same items."""

    def __init__(self, request: Request, *, target: Target, names: Names, drops: Drops) -> None:
        self._target = target
        self._names = names
        self._drops = drops
        self._customs = frozenset(tool.name for tool in request.tools if tool.is_custom)
        self._seal = target.quirks.seal or SealFormat.OPENAI
        self._open: dict[str, bool] = {}  # calls that wait for their result: id -> is custom
        self._items: list[Item] = []

    def write(self, turns: Iterable[Turn]) -> list[Item]:
        """Return all items. Raises: RelayError (400) for a call or result that stands alone."""
        for turn in turns:
            self._drops.drop_if("name", given=turn.name)
            if turn.role is Role.ASSISTANT:
                self._assistant(turn)
            elif turn.role is Role.TOOL:
                self._results(turn)
            else:
                role = _ROLES.get(turn.role, self._target.quirks.system_role)
                self._message(role, parts_out.given(turn.parts, self._drops))
        if self._open:
            _refuse_lonely(next(iter(self._open)), "has no result")
        return self._items

    def _message(self, role: str, content: list[Item]) -> None:
        if content:
            self._items.append({"type": "message", "role": role, "content": content})

    def _assistant(self, turn: Turn) -> None:
        said: list[Item] = []
        pictures: list[Item] = []
        for part in turn.parts:
            words = _words(part)
            if words is not None:
                said.append(words)
                continue
            self._message("assistant", said)
            said = []
            if isinstance(part, Image):  # only users show pictures here
                pictures.append(parts_out.image(part, self._drops))
            elif isinstance(part, Reasoning):
                self._reasoning(part)
            elif isinstance(part, ToolCall):
                self._call(part)
        self._message("assistant", said)
        self._drop_lonely_reasoning()
        self._message("user", pictures)

    def _reasoning(self, part: Reasoning) -> None:
        self._drop_lonely_reasoning()
        if part.seal is not None and part.seal.format == self._seal:
            # Without its id the blob is taken, with a wrong one it is not (recorded 2026).
            known = {"id": part.seal.id} if part.seal.id else {}
            summary = [{"type": "summary_text", "text": part.text}] if part.text else []
            self._items.append(
                {
                    "type": "reasoning",
                    **known,
                    "summary": summary,
                    "encrypted_content": part.seal.data,
                }
            )
        elif self._target.quirks.reasoning_back_field and part.text and part.seal is None:
            # DeepSeek takes its text back (recorded 2026-08, 200).
            content = [{"type": "reasoning_text", "text": part.text}]
            self._items.append({"type": "reasoning", "summary": [], "content": content})

    def _drop_lonely_reasoning(self) -> None:
        """Remove reasoning that nothing follows: OpenAI answers 400 to it ([mem], 2026-11)."""
        if self._items and self._items[-1]["type"] == "reasoning":
            self._items.pop()

    def _call(self, part: ToolCall) -> None:
        if part.cache is not None:
            self._drops.note("cache_control")
        call_id, name = legal_id(part.id), self._names.of(part.name)
        is_custom = part.is_custom and part.name in self._customs
        if call_id in self._open:
            _refuse_lonely(part.id, "stands there twice")
        self._open[call_id] = is_custom
        kind, field = ("custom_tool_call", "input") if is_custom else ("function_call", "arguments")
        text = part.arguments if is_custom or part.arguments.strip() else "{}"
        if part.is_custom and not is_custom:
            text = arguments.as_text({"input": text})
        self._items.append({"type": kind, "call_id": call_id, "name": name, field: text})

    def _results(self, turn: Turn) -> None:
        for part in turn.parts:
            if not isinstance(part, ToolResult):
                continue
            if part.cache is not None:
                self._drops.note("cache_control")
            call_id = legal_id(part.call_id)
            is_custom = self._open.pop(call_id, None)
            if is_custom is None:
                _refuse_lonely(part.call_id, "is no call's that came before")
            kind = "custom_tool_call_output" if is_custom else "function_call_output"
            output = _output(parts_out.given(part.parts, self._drops))
            self._items.append({"type": kind, "call_id": call_id, "output": output})


def _words(part: Part) -> Item | None:
    """Write what the model said; None for what stands beside its messages."""
    if isinstance(part, Text) and part.text:
        return {"type": "output_text", "text": part.text, "annotations": []}
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    if isinstance(part, Audio) and part.transcript:
        return {"type": "output_text", "text": part.transcript, "annotations": []}
    return None


def _output(parts: list[Item]) -> str | list[Item]:
    if not parts:
        return ""
    if len(parts) == 1 and parts[0]["type"] == "input_text":
        return str(parts[0]["text"])
    return parts


def _refuse_lonely(call_id: str, what: str) -> NoReturn:
    shown = call_id if call_id.isascii() and call_id.isprintable() else "?"
    fields.refuse(
        Code.INVALID_VALUE,
        f"The conversation is not whole: the tool call {shown[:64]!r} {what}. Send every call "
        "together with its result.",
        "tool_call_id",
    )
