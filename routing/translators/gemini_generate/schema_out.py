"""JSON Schema as the subset of OpenAPI that Gemini's `parameters` take (pure).

Gemini before 2.5 refuses a whole request for one word more (python-genai#1093, nodetool#4761,
read 2026-11); later models take JSON Schema itself.
"""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from routing.dialects import fields
from routing.errors import Code

# Of a schema whose references are written out.
NODES_MAX: Final = 10_000
DEPTH_MAX: Final = 128

_PLAIN: Final = ("title", "description", "default")
_KNOWN: Final = frozenset(
    {
        *_PLAIN,
        *("type", "format", "enum", "const", "items", "properties", "required", "nullable"),
        *("anyOf", "oneOf", "allOf", "$ref", "$defs", "definitions"),
    }
)
_FORMATS: Final = {
    "STRING": frozenset({"date-time"}),
    "NUMBER": frozenset({"float", "double"}),
    "INTEGER": frozenset({"int32", "int64"}),
}
_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})


def to_openapi(schema: Mapping[str, Any], param: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the schema in Google's words, and the words of JSON Schema that it lost.

    Raises: RelayError (400) when its references, written out, would have no end.
    """
    writer = _Writer(schema, param)
    return writer.node(schema), tuple(writer.lost)


class _Writer:
    def __init__(self, root: Mapping[str, Any], param: str) -> None:
        self._root = root
        self._param = param
        self._nodes = 0
        self._depth = 0
        self._within: list[str] = []  # the references that are being written out
        self.lost: dict[str, None] = {}

    def node(self, schema: Any) -> dict[str, Any]:
        if not isinstance(schema, Mapping):
            return {}  # true: anything
        self._nodes += 1
        self._depth += 1
        if self._nodes > NODES_MAX or self._depth > DEPTH_MAX:
            self._refuse()
        found = self._node(schema)
        self._depth -= 1
        return found

    def _node(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        found = self._reference(schema)
        for word in schema:
            if word not in _KNOWN and not word.startswith(("$", "x-")):
                self.lost[word] = None
        found |= {word: schema[word] for word in _PLAIN if schema.get(word) is not None}
        self._type(schema, found)
        self._values(schema, found)
        self._members(schema, found)
        self._alternatives(schema, found)
        return found

    def _reference(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        reference = schema.get("$ref")
        if type(reference) is not str:
            return {}
        if reference in self._within:
            return {"type": "OBJECT"}  # it holds itself
        target = self._resolve(reference)
        if target is None:
            self.lost["$ref"] = None
            return {}
        self._within.append(reference)
        found = self.node(target)
        self._within.pop()
        return found

    def _resolve(self, reference: str) -> Any:
        if not reference.startswith("#"):
            return None
        node: Any = self._root
        for step in reference[1:].split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            node = node.get(key) if isinstance(node, Mapping) else None
        return node

    def _type(self, schema: Mapping[str, Any], found: dict[str, Any]) -> None:
        told = schema.get("type")
        listed = told if type(told) is list else [told]
        kinds = [kind for kind in listed if type(kind) is str and kind in _TYPES]
        real = [kind.upper() for kind in kinds if kind != "null"]
        if schema.get("nullable") is True or (real and "null" in kinds):
            found["nullable"] = True
        if len(real) == 1:
            found["type"] = real[0]
        elif real:
            found["anyOf"] = [{"type": kind} for kind in real]
        elif kinds:
            found["type"] = "NULL"
        elif "properties" in schema:
            found.setdefault("type", "OBJECT")
        self._format(schema, found)

    def _format(self, schema: Mapping[str, Any], found: dict[str, Any]) -> None:
        told = schema.get("format")
        if type(told) is not str:
            return
        if told in _FORMATS.get(found.get("type", ""), ()):
            found["format"] = told
        else:
            self.lost["format"] = None

    def _values(self, schema: Mapping[str, Any], found: dict[str, Any]) -> None:
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if type(values) is not list:
            return
        named = [value for value in values if value is not None]
        if len(named) < len(values):
            found["nullable"] = True
        if named and all(type(value) is str for value in named):
            found |= {"type": "STRING", "format": "enum", "enum": named}
        else:
            self.lost["enum"] = None  # Google's are strings

    def _members(self, schema: Mapping[str, Any], found: dict[str, Any]) -> None:
        if isinstance(schema.get("properties"), Mapping):
            found["properties"] = {
                name: self.node(member) for name, member in schema["properties"].items()
            }
        if type(schema.get("required")) is list:
            known = found.get("properties", {})
            required = [name for name in schema["required"] if type(name) is str and name in known]
            if required:
                found["required"] = required
        if "items" in schema:
            found["items"] = self.node(schema["items"])
        elif found.get("type") == "ARRAY":
            found.setdefault("items", {"type": "STRING"})  # one must be there

    def _alternatives(self, schema: Mapping[str, Any], found: dict[str, Any]) -> None:
        for word in ("anyOf", "oneOf"):
            if type(schema.get(word)) is list:
                self._choice([self.node(member) for member in schema[word]], found)
        if type(schema.get("allOf")) is list:
            for member in schema["allOf"]:
                _merge(found, self.node(member))

    def _choice(self, members: list[dict[str, Any]], found: dict[str, Any]) -> None:
        real = [member for member in members if member.get("type") != "NULL"]
        if len(real) < len(members):
            found["nullable"] = True
        if len(real) == 1:
            _merge(found, real[0])
        elif real:
            found["anyOf"] = real

    def _refuse(self) -> NoReturn:
        fields.refuse(
            Code.UNSUPPORTED,
            f"`{self._param}` is a schema of more than {NODES_MAX} parts or {DEPTH_MAX} levels, "
            "its references written out as this model needs it. Make it smaller, or choose "
            "another model.",
            self._param,
        )


def _merge(found: dict[str, Any], other: dict[str, Any]) -> None:
    """Add what the other says and this does not; members and requirements come together."""
    for word, value in other.items():
        if word == "properties":
            found[word] = {**value, **found.get(word, {})}
        elif word == "required":
            found[word] = list(dict.fromkeys([*found.get(word, ()), *value]))
        else:
            found.setdefault(word, value)
