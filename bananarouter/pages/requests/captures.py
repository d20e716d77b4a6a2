"""What debug mode kept of a request, for who switched it on: shown and downloaded."""

import datetime as dt
import json
from dataclasses import dataclass, field

from accounts.models import User
from logs import debug_reader
from logs.debug_reader import NothingKept
from logs.models import RequestLog

__all__ = ["NothingKept", "Part", "shown", "whole"]

SHOWN_CHARS_MAX = 20_000
INDENTED_BYTES_MAX = 256 << 10
PARTS = ("request", "response")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The request, or its answer, as a page shows it."""

    name: str
    text: str | None = field(repr=False)  # None: no text
    size: int  # of the whole, in bytes
    is_cut: bool  # what was kept is not the whole
    is_shortened: bool  # what is shown is not all that was kept


def shown(row: RequestLog, *, user: User, now: dt.datetime) -> list[Part]:
    """Return the parts of a request that are kept for this user; empty without any."""
    try:
        found = debug_reader.read(row.request_id, user=user, now=now)
    except NothingKept:
        return []
    return [
        _part("request", found.request, found.request_bytes),
        _part("response", found.response, found.response_bytes),
    ]


def _part(name: str, kept: bytes, size: int) -> Part:
    text = _text(kept, is_cut=len(kept) < size)
    return Part(
        name=name,
        text=None if text is None else text[:SHOWN_CHARS_MAX],
        size=size,
        is_cut=len(kept) < size,
        is_shortened=text is not None and len(text) > SHOWN_CHARS_MAX,
    )


def _text(kept: bytes, *, is_cut: bool) -> str | None:
    """Return content as text, JSON indented; None for what is no text."""
    try:
        # A cut may go through a character.
        text = kept.decode(errors="ignore" if is_cut else "strict")
    except UnicodeDecodeError:
        return None
    if is_cut or len(kept) > INDENTED_BYTES_MAX:
        return text
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text


def whole(row: RequestLog, *, part: str, user: User, now: dt.datetime) -> bytes:
    """Return a part of a request as it is kept for this user. Raises: NothingKept."""
    if part not in PARTS:
        raise NothingKept
    found = debug_reader.read(row.request_id, user=user, now=now)
    return found.request if part == "request" else found.response
