"""JSON as it is written to Google and to its clients (pure)."""

import json
from typing import Any, Final

import orjson

from routing.translators import arguments

Json = dict[str, Any]

_BRACKETS_SURE: Final = 200  # fewer can be no depth that a serializer refuses


def dump(document: Json) -> bytes:
    """Write JSON; integers of any size stay whole."""
    try:
        return orjson.dumps(document)
    except TypeError:  # big integers, half of a surrogate pair
        return json.dumps(document, separators=(",", ":")).encode()


def args(text: str, *, is_custom: bool = False) -> Json:
    """Return a call's arguments as the object that `args` must be."""
    if is_custom:
        return {"input": text}
    value = arguments.as_object(text)
    return value if is_writable(value, text) else {"_raw": text}


def is_writable(value: Any, text: str) -> bool:
    """Tell whether what was read from this text can be written again: it may be too deep."""
    if text.count("[") + text.count("{") <= _BRACKETS_SURE:
        return True
    try:
        dump({"args": [[[[value]]]]})
    except RecursionError:
        return False
    return True
