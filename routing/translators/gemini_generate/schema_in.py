"""Google's subset of OpenAPI as JSON Schema (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from routing.dialects import fields
from routing.translators.gemini_generate import spelling

_MAPS: Final = frozenset({"properties", "defs", "$defs", "definitions", "patternProperties"})
_LISTS: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_SINGLES: Final = frozenset({"items", "additionalProperties", "not"})
# int64 in protobuf's JSON is a string.
_COUNTS: Final = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
)
_RENAMED: Final = {"defs": "$defs", "ref": "$ref"}
_MULTIWORD: Final = _MAPS | _LISTS | _SINGLES | _COUNTS | {"propertyOrdering"}


def from_openapi(schema: Mapping[str, Any], param: str) -> dict[str, Any]:
    """Return the schema in JSON Schema: types in lower case, null as a type.

    Raises: RelayError (400) naming a place that is no schema.
    """
    found: dict[str, Any] = {}
    for key, value in schema.items():
        camel = spelling.camel(key) if "_" in key else key
        name = camel if camel in _MULTIWORD else key
        if name not in ("nullable", "propertyOrdering") and value is not None:
            _take(found, name, value, param)
    ordering = spelling.get(schema, "propertyOrdering", f"{param}.")
    if isinstance(ordering, list) and "properties" in found:
        found["properties"] = _ordered(found["properties"], ordering)
    return _nullable(found) if schema.get("nullable") is True else found


def _take(found: dict[str, Any], name: str, value: Any, param: str) -> None:
    where = f"{param}.{name}"
    if name == "type":
        if value != "TYPE_UNSPECIFIED":
            found[name] = _type(value, where)
    elif name in _MAPS:
        members = fields.entry(value, where)
        found[_RENAMED.get(name, name)] = {
            key: _member(member, f"{where}.{key}") for key, member in members.items()
        }
    elif name in _LISTS:
        rows = fields.array({name: value}, name, f"{param}.")
        found[name] = [_member(row, f"{where}[{i}]") for i, row in enumerate(rows)]
    elif name in _SINGLES:
        found[name] = _member(value, where)
    else:
        _take_word(found, name, value)


def _take_word(found: dict[str, Any], name: str, value: Any) -> None:
    if name in _COUNTS and type(value) is str and value.isascii() and value.isdecimal():
        found[name] = int(value[:18])
    elif name == "example":
        found["examples"] = [value]
    elif (name, value) != ("format", "enum"):  # that is no format of JSON Schema
        found[_RENAMED.get(name, name)] = value


def _member(value: Any, where: str) -> Any:
    return value if type(value) is bool else from_openapi(fields.entry(value, where), where)


def _type(value: Any, where: str) -> Any:
    if type(value) is list:
        return [_type(item, where) for item in value]
    if type(value) is not str:
        fields.refuse_type(value, "a string", where)
    return value.lower()


def _ordered(properties: dict[str, Any], ordering: list[Any]) -> dict[str, Any]:
    first = [name for name in ordering if type(name) is str and name in properties]
    return {name: properties[name] for name in dict.fromkeys([*first, *properties])}


def _nullable(found: dict[str, Any]) -> dict[str, Any]:
    kind = found.get("type")
    if type(kind) is str and kind != "null":
        found["type"] = [kind, "null"]
        if type(found.get("enum")) is list and None not in found["enum"]:
            found["enum"] = [*found["enum"], None]
    elif type(found.get("anyOf")) is list:
        found["anyOf"] = [*found["anyOf"], {"type": "null"}]
    return found
