"""The subset of JSON Schema that Anthropic can hold an answer to (pure).

As its official SDK cuts schemas down (anthropic 2.12, lib/_parse/_transform.py): objects are
closed, and words that are not enforced go into the description, where the model may heed them.
"""

from collections.abc import Mapping
from typing import Any, Final

_KEPT: Final = frozenset(
    {"title", "description", "default", "$ref", "enum", "const", "type", "required"}
)
_SILENT: Final = frozenset({"$schema", "$id", "$comment", "additionalProperties"})
_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_UNIONS: Final = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
_ABOUT: Final = ("title", "description", "default")
_MAPS: Final = ("$defs", "definitions", "properties")


class Closing:
    """Cuts one schema down; tells what was lost."""

    __slots__ = ("has_open_maps", "is_changed")

    def __init__(self) -> None:
        self.is_changed = False  # words went, or open objects were closed
        self.has_open_maps = False  # objects of any keys, which cannot be told at all

    def close(self, schema: Any) -> Any:
        """Return the schema within the subset."""
        if type(schema) is not dict:
            self.is_changed = self.is_changed or schema is not None
            return {}
        if type(schema.get("type")) is list:
            return self._each_type(schema)
        found: dict[str, Any] = {}
        lost = {word: one for word, one in schema.items() if not self._keep(found, word, one)}
        if schema.get("type") == "object" or "properties" in schema:
            self._close_object(found, schema)
        if lost:
            self.is_changed = True
            said = ", ".join(f"{word}: {value}" for word, value in lost.items())
            told = found.get("description")
            found["description"] = f"{told}\n\n{{{said}}}" if told else f"{{{said}}}"
        return found

    def _keep(self, found: dict[str, Any], word: str, value: Any) -> bool:
        """Keep a word that the vendor knows; False when it is none."""
        if word in _KEPT or (word == "format" and str(value) in _FORMATS):
            found[word] = value
        elif word in _UNIONS and type(value) is list:
            self.is_changed = self.is_changed or word == "oneOf"
            found[_UNIONS[word]] = [self.close(one) for one in value]
        elif word in _MAPS and type(value) is dict:
            found[word] = {name: self.close(one) for name, one in value.items()}
        elif word == "items":
            found[word] = self.close(value)
        elif word == "minItems" and value in (0, 1):
            found[word] = value
        elif word in _SILENT:
            self.is_changed = self.is_changed or (word, value) != ("additionalProperties", False)
        else:
            return False
        return True

    def _close_object(self, found: dict[str, Any], schema: Mapping[str, Any]) -> None:
        extra = schema.get("additionalProperties")
        if extra is not False:
            self.is_changed = True
            self.has_open_maps = self.has_open_maps or bool(extra and not schema.get("properties"))
        found.setdefault("properties", {})
        found["additionalProperties"] = False

    def _each_type(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Spell several types as one schema for each."""
        variants = [self.close(_variant(schema, one)) for one in schema["type"]]
        told = {word: schema[word] for word in _ABOUT if word in schema}
        return {"anyOf": variants, **told}


def _variant(schema: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    """Return the schema of one of its types: a null has no words of its own."""
    found: dict[str, Any] = {"type": kind}
    values = schema.get("enum")
    if type(values) is list:
        found["enum"] = [one for one in values if (one is None) == (kind == "null")]
    if kind == "null":
        return {"type": kind}
    spoken = {word: one for word, one in schema.items() if word not in (*_ABOUT, "type", "enum")}
    return {**found, **spoken}
