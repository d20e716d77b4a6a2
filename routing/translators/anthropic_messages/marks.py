"""Marks of what a prompt's cache may keep (pure)."""

from collections.abc import Iterator
from typing import Any, Final

from routing.conversation import Cache

# More are a 400 ([mem], 2026-11); the automatic mark of the whole prompt counts as one.
MARKS_MAX: Final = 4
_KEY: Final = "cache_control"


def control(cache: Cache) -> dict[str, str]:
    """Write a mark. A lifetime that is not known here is the default one."""
    told = {"type": "ephemeral"}
    return told | {"ttl": cache.ttl} if cache.ttl in ("5m", "1h") else told


def put(block: dict[str, Any], cache: Cache | None) -> dict[str, Any]:
    """Return the block with its mark, if it has one."""
    if cache is not None:
        block[_KEY] = control(cache)
    return block


def limit(body: dict[str, Any]) -> bool:
    """Keep the last marks, as the vendor reads a prompt; tell whether any had to go."""
    marked = [block for block in _blocks(body) if _KEY in block]
    kept = MARKS_MAX - (_KEY in body)
    for block in marked[:-kept]:
        del block[_KEY]
    return len(marked) > kept


def _blocks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from body.get("tools", ())
    yield from body.get("system", ())
    for message in body["messages"]:
        for block in message["content"]:
            inner = block.get("content")
            yield from inner if type(inner) is list else ()
            yield block
