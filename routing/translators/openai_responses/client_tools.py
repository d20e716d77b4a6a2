"""Tools that OpenAI names and the client runs: functions, to everybody else (pure)."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
import orjson

from routing.translators import arguments


# A default that comes from a factory is written out in spite of `omit_defaults`.
class _Exec(msgspec.Struct, omit_defaults=True, kw_only=True):
    type: Literal["exec"] = msgspec.field(default_factory=lambda: "exec")
    command: list[str]
    env: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    timeout_ms: int | None = None
    user: str | None = None
    working_directory: str | None = None


class _Shell(msgspec.Struct, omit_defaults=True, kw_only=True):
    commands: list[str]
    timeout_ms: int | None = None
    max_output_length: int | None = None


class _Patch(msgspec.Struct, omit_defaults=True, kw_only=True):
    type: Literal["create_file", "update_file", "delete_file"]
    path: str
    diff: str = msgspec.field(default_factory=str)


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One such tool: what it is called, and the items of its calls."""

    tool: str  # its type, and the name of the function
    call: str
    output: str
    payload: str  # the field of a call that holds the arguments
    description: str
    form: Any = None  # what the arguments must be; None: any object
    schema: Mapping[str, Any] | None = None  # None: the tool brings its own
    extra: Mapping[str, Any] = {}

    def call_item(self, item_id: str, call_id: str, text: str) -> dict[str, Any] | None:
        """Write a function's call as the client's tool; None when its arguments do not fit."""
        try:
            payload = msgspec.convert(arguments.as_object(text), self.form or dict[str, Any])
        except msgspec.ValidationError:
            return None
        return {
            "type": self.call,
            "id": item_id,
            "call_id": call_id,
            "status": "completed",
            # Numbers of any size stay whole.
            self.payload: orjson.Fragment(arguments.as_text(msgspec.to_builtins(payload))),
            **self.extra,
        }


def _object(properties: Mapping[str, Any], *required: str) -> Mapping[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


_WORDS: Final = {"type": "array", "items": {"type": "string"}}
_WORD: Final = {"type": "string"}
_NUMBER: Final = {"type": "integer"}

# After the SDK's types of these items (openai 3.54, 2026-11).
KINDS: Final = (
    Kind(
        tool="local_shell",
        call="local_shell_call",
        output="local_shell_call_output",
        payload="action",
        description="Runs a command on the user's machine and returns its output.",
        form=_Exec,
        schema=_object(
            {
                "command": {**_WORDS, "description": "The command and its arguments."},
                "working_directory": _WORD,
                "env": {"type": "object", "additionalProperties": _WORD},
                "timeout_ms": _NUMBER,
            },
            "command",
        ),
    ),
    Kind(
        tool="shell",
        call="shell_call",
        output="shell_call_output",
        payload="action",
        description="Runs commands in a shell on the user's machine and returns their output.",
        form=_Shell,
        schema=_object(
            {"commands": _WORDS, "timeout_ms": _NUMBER, "max_output_length": _NUMBER}, "commands"
        ),
    ),
    Kind(
        tool="apply_patch",
        call="apply_patch_call",
        output="apply_patch_call_output",
        payload="operation",
        description="Creates, updates or deletes one file. `diff` is in the V4A format; a file "
        "that is deleted needs none.",
        form=_Patch,
        schema=_object(
            {
                "type": {"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
                "path": _WORD,
                "diff": _WORD,
            },
            "type",
            "path",
        ),
    ),
    Kind(
        tool="tool_search",
        call="tool_search_call",
        output="tool_search_output",
        payload="arguments",
        description="Searches for more tools; those that it finds can be called afterwards.",
        extra={"execution": "client"},
    ),
)
BY_TOOL: Final = {kind.tool: kind for kind in KINDS}
BY_CALL: Final = {kind.call: kind for kind in KINDS}
BY_OUTPUT: Final = {kind.output: kind for kind in KINDS}
