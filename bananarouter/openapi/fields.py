"""A schema as a table: one row for each field, two levels deep."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bananarouter.openapi.schema import Json

LEVELS: Final = 2
_BOUNDS: Final[Mapping[str, str]] = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minItems": "length at least {}",
    "maxItems": "length at most {}",
    "default": "default {}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field; `name` holds the way to it: `generationConfig.topP`, `messages[].role`."""

    name: str
    kind: str
    text: str
    is_required: bool


def rows(shape: Json, schemas: Mapping[str, Json]) -> list[Row]:
    """Return the fields of an object, each with those inside it below it."""
    return list(_rows(shape, schemas, prefix="", level=1))


def kind_of(shape: Json, schemas: Mapping[str, Json]) -> str:
    """Name what a field may hold: `string`, `array of objects`, `"on" or "off"`."""
    shape = _resolved(shape, schemas)
    if "enum" in shape:
        return _listed([_shown(value) for value in shape["enum"]])
    if "const" in shape:
        return _shown(shape["const"])
    if "anyOf" in shape:
        return _listed([kind_of(part, schemas) for part in shape["anyOf"]])
    kinds = shape.get("type", "any")
    return _listed(
        [_array(shape, schemas) if kind == "array" else kind for kind in _several(kinds)]
    )


def bounds_of(shape: Json) -> str:
    """Say what a value is held to: `at least 1, default 20`."""
    found = [words.format(_shown(shape[name])) for name, words in _BOUNDS.items() if name in shape]
    return ", ".join(found)


def _rows(shape: Json, schemas: Mapping[str, Json], *, prefix: str, level: int) -> Iterator[Row]:
    for part in _objects(shape, schemas):
        required = part.get("required", ())
        for name, told in part.get("properties", {}).items():
            found = _resolved(told, schemas)
            yield Row(
                name=prefix + name,
                kind=", ".join(word for word in (kind_of(told, schemas), bounds_of(found)) if word),
                text=found.get("description", ""),
                is_required=name in required,
            )
            if level < LEVELS:
                inner, mark = (found["items"], "[].") if "items" in found else (found, ".")
                yield from _rows(inner, schemas, prefix=f"{prefix}{name}{mark}", level=level + 1)


def _objects(shape: Json, schemas: Mapping[str, Json]) -> Iterator[Json]:
    """Yield the objects that a schema is made of."""
    shape = _resolved(shape, schemas)
    for part in shape.get("allOf", (shape,)):
        yield _resolved(part, schemas)


def _resolved(shape: Json, schemas: Mapping[str, Json]) -> Json:
    if "$ref" in shape:
        return schemas[shape["$ref"].rpartition("/")[2]]
    return shape


def _array(shape: Json, schemas: Mapping[str, Json]) -> str:
    inner = kind_of(shape["items"], schemas)
    return f"array of ({inner})" if " or " in inner else f"array of {inner}s"


def _several(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _shown(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _listed(words: list[str]) -> str:
    """Join words: `a`, `a or b`, `a, b or c`; each once."""
    *head, last = dict.fromkeys(words)
    return f"{', '.join(head)} or {last}" if head else last
