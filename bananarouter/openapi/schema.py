"""Short ways to write JSON Schema (2020-12, as OpenAPI 3.1 has it).

Objects stay open: whatever a vendor adds to its protocol passes through here unread.
"""

from typing import Any

Json = dict[str, Any]


def text(description: str = "", **more: Any) -> Json:
    """Describe a string."""
    return _of("string", description, more)


def integer(description: str = "", **more: Any) -> Json:
    """Describe a whole number."""
    return _of("integer", description, more)


def number(description: str = "", **more: Any) -> Json:
    """Describe a number."""
    return _of("number", description, more)


def flag(description: str = "", **more: Any) -> Json:
    """Describe true or false."""
    return _of("boolean", description, more)


def array(items: Json, description: str = "", **more: Any) -> Json:
    """Describe a list."""
    return _of("array", description, {"items": items, **more})


def obj(
    properties: Json, *, required: tuple[str, ...] = (), description: str = "", **more: Any
) -> Json:
    """Describe an object with its main fields; others may stand beside them."""
    told: Json = {"properties": properties, "additionalProperties": True, **more}
    if required:
        told["required"] = list(required)
    return _of("object", description, told)


def anything(description: str) -> Json:
    """Describe an object that the vendor's documentation explains."""
    return _of("object", description, {"additionalProperties": True})


def either(*schemas: Json, description: str = "") -> Json:
    """Describe what may have several shapes."""
    return {**({"description": description} if description else {}), "anyOf": list(schemas)}


def maybe(schema: Json) -> Json:
    """Allow null as well."""
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    return either(schema, {"type": "null"})


def ref(name: str) -> Json:
    """Point to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def _of(kind: str, description: str, more: Json) -> Json:
    return {"type": kind, **({"description": description} if description else {}), **more}
