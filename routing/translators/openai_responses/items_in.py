"""Input items of a Responses request as turns (pure)."""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from routing import seals
from routing.conversation import (
    Image,
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
from routing.translators import arguments, media
from routing.translators.openai_responses import parts_in
from routing.translators.openai_responses.client_tools import BY_CALL, BY_OUTPUT, Kind
from routing.translators.openai_responses.tools_in import Offered

_ROLES: Final = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
}
_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
# Their tools stand beside all others: routing/translators/openai_responses/tools_in.py.
_ONLY_TOOLS: Final = "additional_tools"


class History:
    """Turns that grow item by item."""

    def __init__(self, offered: Offered, *, seal_key: bytes) -> None:
        self.instructions: list[Text] = []
        self.dropped: dict[str, None] = {}
        self._offered = offered
        self._seal_key = seal_key
        self._turns: list[tuple[Role, list[Part]]] = []
        self._open: dict[str, str] = {}  # calls without a result yet: id -> name
        self._names: dict[str, str] = {}  # of all calls
        self._call_seals: dict[str, Seal] = {}  # that wait for their call
        self._readers: dict[str, Callable[[dict[str, Any], str], None]] = {
            "message": self._message,
            "reasoning": self._reasoning,
            "function_call": self._function_call,
            "custom_tool_call": self._custom_call,
            "function_call_output": self._function_output,
            "custom_tool_call_output": self._custom_output,
            "image_generation_call": self._image,
            "item_reference": _refuse_reference,
            "compaction": _refuse_compaction,
            "compaction_trigger": _refuse_compaction,
        }

    def turns(self) -> tuple[Turn, ...]:
        """Return what was read."""
        return tuple(Turn(role=role, parts=tuple(parts)) for role, parts in self._turns if parts)

    def read(self, given: Any) -> None:
        """Take the whole input. Raises: RelayError (400) naming the item."""
        if given is None:
            fields.refuse_missing("input", "a text or an array of items")
        if type(given) is str:
            self._turns.append((Role.USER, [Text(text=given)]))
            return
        if type(given) is not list:
            fields.refuse_type(given, "a string or an array", "input")
        for index, item in enumerate(given):
            self._item(fields.entry(item, f"input[{index}]"), f"input[{index}]")

    def _item(self, item: dict[str, Any], param: str) -> None:
        kind = item.get("type")
        if kind is None and "role" in item:
            kind = "message"
        if type(kind) is not str:
            fields.refuse_missing(f"{param}.type", "the item's type")
        read = self._readers.get(kind)
        if read is not None:
            read(item, param)
        elif kind in BY_CALL:
            self._kind_call(BY_CALL[kind], item, param)
        elif kind in BY_OUTPUT:
            self._kind_output(BY_OUTPUT[kind], item, param)
        elif kind != _ONLY_TOOLS:
            # Traces of tools that OpenAI ran: what came of them is in the answer's text.
            self.dropped[kind if _KIND.fullmatch(kind) else param] = None

    def _assistant(self) -> list[Part]:
        """Return the parts of the assistant's turn under way."""
        if not self._turns or self._turns[-1][0] is not Role.ASSISTANT:
            self._turns.append((Role.ASSISTANT, []))
        return self._turns[-1][1]

    def _next_assistant(self) -> list[Part]:
        """Return the turn for another message; calls and their results stay in one turn."""
        parts = self._assistant()
        if not self._open and any(isinstance(part, Text) for part in parts):
            parts = []
            self._turns.append((Role.ASSISTANT, parts))
        return parts

    def _message(self, item: dict[str, Any], param: str) -> None:
        said = fields.choice(item, "role", _ROLES, f"{param}.")
        if said is None:
            fields.refuse_missing(f"{param}.role", "who says it")
        role = _ROLES[said]
        parts = parts_in.read(item.get("content"), f"{param}.content")
        if role is Role.ASSISTANT:
            self._next_assistant().extend(parts)
        elif role is Role.SYSTEM and not self._turns:
            self.instructions += [part for part in parts if isinstance(part, Text)]
        else:
            self._turns.append((role, list(parts)))

    def _reasoning(self, item: dict[str, Any], param: str) -> None:
        summary = _texts(item, "summary", param)
        content = _texts(item, "content", param)
        item_id = fields.text(item, "id", f"{param}.") or ""
        sealed = fields.text(item, "encrypted_content", f"{param}.")
        seal = self._seal(sealed, item_id) if sealed else None
        if seal is not None and seal.format is SealFormat.GOOGLE and not (summary or content):
            self._attach(seal)
            return
        origin = seal.format if seal is not None else SealFormat.UNKNOWN
        if not (summary or content or seal):
            return
        self._next_assistant().append(
            Reasoning(
                text=summary or content,
                # We put everybody's reasoning into the summary; these vendors' is one.
                is_summary=bool(summary) and origin in (SealFormat.OPENAI, SealFormat.XAI),
                format=origin,
                seal=seal,
                id=item_id,
            )
        )

    def _seal(self, sealed: str, item_id: str) -> Seal | None:
        if seals.is_envelope(sealed):
            return seals.unwrap(sealed, key=self._seal_key)
        return Seal(format=SealFormat.OPENAI, data=sealed, id=item_id)

    def _attach(self, seal: Seal) -> None:
        """Give a seal back to what it stood on: the call that it names, else the text before."""
        bare = msgspec.structs.replace(seal, id="")
        if seal.id:
            self._call_seals[seal.id] = bare
            return
        parts = self._assistant()
        if parts and isinstance(parts[-1], Text) and parts[-1].seal is None:
            parts[-1] = msgspec.structs.replace(parts[-1], seal=bare)
        else:
            parts.append(Text(text="", seal=bare))

    def _function_call(self, item: dict[str, Any], param: str) -> None:
        given = item.get("arguments")
        text = given if type(given) is str else arguments.as_text(given)
        self._call(item, param, text)

    def _custom_call(self, item: dict[str, Any], param: str) -> None:
        text = fields.text(item, "input", f"{param}.") or ""
        self._call(item, param, text, is_custom=True)

    def _call(
        self, item: dict[str, Any], param: str, text: str, *, is_custom: bool = False
    ) -> None:
        name = fields.text(item, "name", f"{param}.")
        if not name:
            fields.refuse_missing(f"{param}.name", "the tool's name")
        namespace = fields.text(item, "namespace", f"{param}.") or ""
        call_id = _call_id(item, param)
        self._add_call(call_id, self._offered.name_of(name, namespace), text, is_custom=is_custom)

    def _add_call(self, call_id: str, name: str, text: str, *, is_custom: bool = False) -> None:
        self._open[call_id] = self._names[call_id] = name
        self._assistant().append(
            ToolCall(
                id=call_id,
                name=name,
                arguments=text,
                is_custom=is_custom,
                seal=self._call_seals.pop(call_id, None),
            )
        )

    def _function_output(self, item: dict[str, Any], param: str) -> None:
        given = item.get("output")
        parts = parts_in.read([given] if type(given) is dict else given, f"{param}.output")
        self._result(_call_id(item, param), parts)

    def _custom_output(self, item: dict[str, Any], param: str) -> None:
        parts = parts_in.read(item.get("output"), f"{param}.output")
        self._result(_call_id(item, param), parts, is_custom=True)

    def _result(
        self,
        call_id: str,
        parts: tuple[Part, ...],
        *,
        is_custom: bool = False,
        is_error: bool = False,
    ) -> None:
        self._open.pop(call_id, None)
        if not self._turns or self._turns[-1][0] is not Role.TOOL:
            self._turns.append((Role.TOOL, []))
        self._turns[-1][1].append(
            ToolResult(
                call_id=call_id,
                name=self._names.get(call_id, ""),
                parts=parts,
                is_custom=is_custom,
                is_error=is_error,
            )
        )

    def _kind_call(self, kind: Kind, item: dict[str, Any], param: str) -> None:
        if kind.schema is None and item.get("execution") != "client":
            return  # what it found is offered
        given = item.get(kind.payload)
        text = given if type(given) is str else arguments.as_text(given)
        self._add_call(_call_id(item, param), kind.tool, text)

    def _kind_output(self, kind: Kind, item: dict[str, Any], param: str) -> None:
        if kind.schema is None and item.get("execution") != "client":
            return
        given = item.get("tools" if kind.schema is None else "output")
        text = given if type(given) is str else arguments.as_text(given)
        # OpenAI's type of local_shell_call_output has the call's id in `id` (SDK 3.54).
        call_id = _call_id(item, param, other="id")
        is_error = item.get("status") == "failed"
        self._result(call_id, (Text(text=text),), is_error=is_error)

    def _image(self, item: dict[str, Any], param: str) -> None:
        data = fields.text(item, "result", f"{param}.")
        if not data:
            fields.refuse_handle(f"{param}.id")
        form = fields.text(item, "output_format", f"{param}.")
        mime = media.sniff(data, f"image/{form or 'png'}")
        self._assistant().append(Image(mime=mime, data=data))


def _call_id(item: dict[str, Any], param: str, other: str = "call_id") -> str:
    call_id = fields.text(item, "call_id", f"{param}.") or fields.text(item, other, f"{param}.")
    return call_id or fields.refuse_missing(f"{param}.call_id", "the id of the tool's call")


def _texts(item: dict[str, Any], name: str, param: str) -> str:
    """Join the texts of a reasoning item's parts."""
    given = fields.array(item, name, f"{param}.")
    parts = parts_in.read(given, f"{param}.{name}")
    return "\n\n".join(part.text for part in parts if isinstance(part, Text) and part.text)


def _refuse_reference(_item: dict[str, Any], param: str) -> None:
    fields.refuse_handle(f"{param}.id")


def _refuse_compaction(_item: dict[str, Any], param: str) -> None:
    fields.refuse(
        Code.UNSUPPORTED,
        f"`{param}` holds a conversation that only OpenAI can open, but this model is another "
        "vendor's. Send the messages themselves, or choose a model of OpenAI.",
        param,
    )
