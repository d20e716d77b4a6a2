"""What the readers of requests share."""

import json
from typing import Any

from tests.conformance.answers.envelopes import arguments
from tests.conformance.normal import Format, Media, Result, Turn

__all__ = ["arguments"]

EXTENSIONS = {"wav": "audio/wav", "mp3": "audio/mp3"}
# JSON Schema has them in lower case, the OpenAPI subset of Gemini in capitals.
TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")


def data_url(kind: str, url: str, name: str = "") -> Media:
    """Read an address, which may hold the data itself."""
    if not url.startswith("data:"):
        return Media(kind=kind, url=url, name=name)
    head, _, data = url.partition(",")
    mime = head.removeprefix("data:").partition(";")[0]
    family = mime.partition("/")[0]
    kind = family if family in ("image", "audio", "video") else kind
    return Media(kind=kind, mime=mime, data=data.rstrip("="), name=name)


def schema(told: Any) -> Any:
    """Return a JSON Schema whose spelling is one: types in lower case, null by type, no order."""
    if isinstance(told, list):
        return [schema(part) for part in told]
    if not isinstance(told, dict):
        return told
    found = {key: schema(value) for key, value in told.items()}
    kind = found.get("type")
    if isinstance(kind, str) and kind.lower() in TYPES:
        found["type"] = kind.lower()
    if isinstance(found.get("required"), list):
        found["required"] = sorted(found["required"])
    if isinstance(found.get("nullable"), bool) and found.pop("nullable"):
        found["type"] = [found.get("type"), "null"]
    return found


def tool_schema(told: Any) -> Any:
    """Return a tool's schema; a tool without parameters takes an empty object."""
    found = schema(told) or {}
    if found.get("type", "object") == "object" and not found.get("properties"):
        return {"type": "object"}
    return found


def format_of(told: Any, *, name: str = "", strict: bool | None = None) -> Format:
    return Format(schema=schema(told), name=name, strict=strict)


def sampling(body: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Return the sampling parameters by neutral name; null is absent."""
    return {neutral: body[told] for told, neutral in names.items() if body.get(told) is not None}


def turns_of(told: list[tuple[str, list[Any]]]) -> tuple[Turn, ...]:
    """Join neighbors of one role, results of tools first; drop turns that say nothing."""
    joined: list[tuple[str, list[Any]]] = []
    for role, parts in told:
        if joined and joined[-1][0] == role:
            joined[-1][1].extend(parts)
        elif parts:
            joined.append((role, list(parts)))
    return tuple(
        Turn(role=role, parts=tuple(sorted(parts, key=lambda p: not isinstance(p, Result))))
        for role, parts in joined
    )


def result_object(response: Any) -> tuple[str, bool]:
    """Return text and error mark of a function response of Gemini."""
    if isinstance(response, dict) and set(response) == {"error"}:
        return _text(response["error"]), True
    if isinstance(response, dict) and len(response) == 1:
        (key,) = response
        if key in ("output", "result") and isinstance(response[key], str):
            return response[key], False
    return _text(response), False


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
