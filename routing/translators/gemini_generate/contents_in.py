"""The contents of a Gemini client's request as turns (pure)."""

from collections.abc import Callable, Mapping
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
from routing.translators import arguments
from routing.translators.gemini_generate import ids, media_in, signatures, spelling

_ROLES: Final = {
    None: Role.USER,
    "": Role.USER,
    "user": Role.USER,
    "function": Role.USER,  # of the first API version
    "model": Role.ASSISTANT,
}
# What a vendor's own tools left behind: means nothing to another vendor.
_TRACES: Final = ("executableCode", "codeExecutionResult", "toolCall", "toolResponse")

# What says something of a part, but is none.
_MARKS: Final = ("thought", "thoughtSignature", "thought_signature", "partMetadata")


class Contents:
    """Reads contents one after another; `turns` and `dropped` are what came of them."""

    def __init__(self, *, seal_key: bytes, detail: str) -> None:
        self._key = seal_key
        self._detail = detail  # of all pictures that tell none of their own
        self._turns: list[tuple[Role, list[Part]]] = []
        self._calls: list[ToolCall] = []
        self._open = ids.OpenCalls()
        self._is_signed = False  # Google signed something in this model's turn
        # Runs of one kind: a client that keeps the pieces of a stream sends them back as pieces.
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._joins = False
        self.dropped: dict[str, None] = {}

    def take(self, content: Any, param: str) -> None:
        """Read one content. Raises: RelayError (400) naming the field."""
        told = fields.entry(content, param)
        role = _role(told.get("role"), f"{param}.role")
        parts = _parts(told, param)
        results = [
            self._result(part, where)
            for part, where in parts
            if spelling.get(part, "functionResponse", f"{where}.") is not None
        ]
        if results:
            self._parts_of(Role.TOOL).extend(results)
        rest = [(p, w) for p, w in parts if spelling.get(p, "functionResponse") is None]
        if rest:
            self._take_rest(role, rest)

    def turns(self) -> tuple[Turn, ...]:
        """Return what was read."""
        self._close()
        return tuple(Turn(role=role, parts=tuple(parts)) for role, parts in self._turns if parts)

    def _take_rest(self, role: Role, parts: list[tuple[dict[str, Any], str]]) -> None:
        is_user = role is Role.USER
        joins = not is_user and bool(self._turns) and self._turns[-1][0] is role
        if is_user or not joins:
            self._close()
            self._turns.append((role, []))
        if not is_user and not joins:
            self._open.begin()
            self._is_signed = False
        self._joins = joins
        for part, where in parts:
            self._take_part(part, where)
            self._joins = False

    def _parts_of(self, role: Role) -> list[Part]:
        """Return the parts of the last turn, which is of this role."""
        self._close()
        if not self._turns or self._turns[-1][0] is not role:
            self._turns.append((role, []))
        return self._turns[-1][1]

    def _take_part(self, part: dict[str, Any], where: str) -> None:
        seal = self._seal(part, where)
        if spelling.flag(part, "thought", f"{where}."):
            self._take_thought(spelling.text(part, "text", f"{where}."), seal)
            return
        if seal is not None and seal.format is not SealFormat.GOOGLE:
            self._settle(seal)
            seal = None
        for name, take in self._TAKERS.items():
            if spelling.get(part, name, f"{where}.") is not None:
                take(self, part, where, seal)
                return
        self._take_other(part, where, seal)

    def _seal(self, part: dict[str, Any], where: str) -> Seal | None:
        text = spelling.text(part, "thoughtSignature", f"{where}.")
        seal = signatures.read(text, key=self._key)
        if seal is not None and seal.format is SealFormat.GOOGLE:
            self._is_signed = True
        return seal

    def _take_thought(self, text: str, seal: Seal | None) -> None:
        self._close_text()
        self._thoughts.append(text)
        if seal is not None:
            self._close_thought(seal)

    def _settle(self, seal: Seal) -> None:
        """Give another vendor's seal to the reasoning before it, which it was made for."""
        self._close_text()
        if self._thoughts:
            self._close_thought(seal)
            return
        self._turns[-1][1].append(Reasoning(format=seal.format, seal=seal, id=seal.id))

    def _take_text(self, part: dict[str, Any], where: str, seal: Seal | None) -> None:
        text = spelling.text(part, "text", f"{where}.")
        if seal is not None or not self._joins:
            self._close()
        if seal is not None:
            self._turns[-1][1].append(Text(text=text, seal=seal))
        elif text:
            self._close_thought()
            self._texts.append(text)

    def _take_media(self, part: dict[str, Any], where: str, seal: Seal | None) -> None:
        self._close()
        self._turns[-1][1].append(
            media_in.read(part, where, default_detail=self._detail, seal=seal)
        )

    def _take_call(self, part: dict[str, Any], where: str, seal: Seal | None) -> None:
        self._close()
        where = f"{where}.functionCall."
        told = spelling.mapping(part, "functionCall", where)
        name, args = _name(told, where), fields.mapping(told, "args", where)
        if self._turns[-1][0] is not Role.ASSISTANT:
            fields.refuse(
                Code.INVALID_VALUE,
                f"`{where[:-1]}` stands in a content of the user's: only a model calls "
                "functions. Give that content the role model.",
                where[:-1],
            )
        text = arguments.as_text(args)
        number = len(self._calls)
        call_id = spelling.text(told, "id", where)
        made = ids.make("asked", number, name, text, is_signed=self._is_signed)
        call = ToolCall(id=call_id or made, name=name, arguments=text, seal=seal)
        self._open.add(number, call_id=call.id, name=name)
        self._calls.append(call)
        self._turns[-1][1].append(call)

    def _take_other(self, part: dict[str, Any], where: str, seal: Seal | None) -> None:
        traces = [name for name in _TRACES if spelling.get(part, name, f"{where}.") is not None]
        for name in traces:
            self.dropped[f"contents.parts.{name}"] = None
        unknown = [key for key, value in part.items() if value is not None and key not in _MARKS]
        if unknown and not traces:
            param = f"{where}.{spelling.safe(unknown[0])}"
            fields.refuse(
                Code.UNSUPPORTED,
                f"`{param}` is a part that only Google's own models know. Leave it out, or "
                "choose a model of Google.",
                param,
            )
        if seal is not None and not traces:
            self._take_text(part, where, seal)

    _TAKERS: Final[Mapping[str, Callable[..., None]]] = {
        "functionCall": _take_call,
        "inlineData": _take_media,
        "fileData": _take_media,
        "text": _take_text,
    }

    def _result(self, part: dict[str, Any], where: str) -> ToolResult:
        where = f"{where}.functionResponse."
        told = spelling.mapping(part, "functionResponse", where)
        name, call_id = spelling.text(told, "name", where), spelling.text(told, "id", where)
        number = self._open.answer(call_id=call_id, name=name)
        call = None if number is None else self._calls[number]
        response = fields.mapping(told, "response", where)
        content, is_error = _outcome(response)
        parts: list[Part] = [Text(text=content)]
        for index, nested in enumerate(spelling.array(told, "parts", where)):
            inside = f"{where}parts[{index}]"
            parts.append(media_in.read(fields.entry(nested, inside), inside))
        return ToolResult(
            call_id=call.id if call else call_id or ids.make("result", name, is_signed=False),
            name=name or (call.name if call else ""),
            parts=tuple(parts),
            is_error=is_error,
        )

    def _close(self) -> None:
        self._close_text()
        self._close_thought()

    def _close_text(self) -> None:
        if self._texts:
            self._turns[-1][1].append(Text(text="".join(self._texts)))
            self._texts = []

    def _close_thought(self, seal: Seal | None = None) -> None:
        if not self._thoughts:
            return
        text = "".join(self._thoughts)
        self._thoughts = []
        made = Reasoning(text=text, format=SealFormat.GOOGLE)
        if seal is not None:
            made = msgspec.structs.replace(made, format=seal.format, seal=seal, id=seal.id)
        if text or seal is not None:
            self._turns[-1][1].append(made)


def _role(value: Any, param: str) -> Role:
    if value is not None and type(value) is not str:
        fields.refuse_type(value, "a string", param)
    if value not in _ROLES:
        fields.refuse(
            Code.INVALID_VALUE, f"`{param}` must be user or model. Change the role.", param
        )
    return _ROLES[value]


def _parts(content: dict[str, Any], param: str) -> list[tuple[dict[str, Any], str]]:
    told = content.get("parts")
    if type(told) is dict:  # protobuf's JSON reader takes a single part for a list of one
        told = [told]
    parts = fields.array({"parts": told}, "parts", f"{param}.")
    return [
        (fields.entry(part, f"{param}.parts[{index}]"), f"{param}.parts[{index}]")
        for index, part in enumerate(parts)
    ]


def _name(told: Mapping[str, Any], where: str) -> str:
    name = spelling.text(told, "name", where)
    if not name:
        fields.refuse_missing(f"{where}name", "the name of the function")
    return name


def _outcome(response: dict[str, Any]) -> tuple[str, bool]:
    """Return a result as text, and whether it tells of an error."""
    if response.keys() != {"error"}:
        return arguments.as_text(response), False
    error = response["error"]
    return error if type(error) is str else arguments.as_text(error), True
