"""Arguments and results of tools: text here, objects there (pure)."""

import json
from typing import Any

import orjson


def as_object(text: str) -> dict[str, Any]:
    """Return arguments as an object; integers of any size stay whole.

    Nothing is an empty object; what is no object at all comes back under `_raw`, since a
    history must never break a request.
    """
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {"_raw": text}
    return value if isinstance(value, dict) else {"_raw": text}


def as_text(value: Any) -> str:
    """Return an object as compact JSON, keys in their order."""
    if value is None:
        return "{}"
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # integers beyond 64 bits
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
