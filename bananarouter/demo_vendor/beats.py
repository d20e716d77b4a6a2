"""What a stream consists of, before it meets time and mischief."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One event: its bytes, and how many tokens had to be written for it."""

    data: bytes
    tokens: int = 0


def compact(value: Any) -> str:
    """Return JSON as the vendors send it: no spaces, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def data_event(value: Any, *, tokens: int = 0, end: str = "\n\n") -> Beat:
    """Return an event without a name."""
    return Beat(data=f"data: {compact(value)}{end}".encode(), tokens=tokens)


def named_event(name: str, value: Any, *, tokens: int = 0) -> Beat:
    """Return an event with a name."""
    return Beat(data=f"event: {name}\ndata: {compact(value)}\n\n".encode(), tokens=tokens)


def groups(pieces: Sequence[str], size: int) -> Iterator[tuple[str, int]]:
    """Join pieces by `size`; yield each text that is not empty with its number of tokens."""
    for at in range(0, len(pieces), size):
        part = pieces[at : at + size]
        if text := "".join(part):
            yield text, len(part)


def text_of(content: Any) -> str:
    """Return all text in a message's content: a string, parts, or parts that hold parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(filter(None, map(text_of, content)))
    if isinstance(content, dict):
        return "\n".join(
            filter(None, (text_of(content.get(key)) for key in ("text", "content", "parts")))
        )
    return ""
