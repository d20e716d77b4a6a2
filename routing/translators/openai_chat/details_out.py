"""Reasoning and seals as entries of `reasoning_details` (pure)."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from routing.conversation import Image, Part, Reasoning, Seal, SealFormat, Text, ToolCall
from routing.translators.openai_chat.details import ENCRYPTED, SUMMARY, TEXT

# Seals of these stand in an entry of their own; any other is the signature of the text before.
_APART: Final = frozenset(SealFormat) - {SealFormat.ANTHROPIC, SealFormat.UNKNOWN}


def of_parts(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Write all that a turn or an answer thought, and the seals on its texts and calls."""
    entries: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, Reasoning):
            entries += _entries(part)
        elif isinstance(part, (Text, Image)) and part.seal is not None:
            entries.append(encrypted(part.seal))
        elif isinstance(part, ToolCall) and part.seal is not None:
            entries.append(encrypted(part.seal, call_id=part.id))
    for index, entry in enumerate(entries):
        entry["index"] = index
    return entries


def _entries(part: Reasoning) -> Iterator[dict[str, Any]]:
    seal = part.seal
    apart = seal is not None and is_apart(seal)
    if part.text or (seal is not None and not apart):
        entry = text_entry(part.text, part.format, is_summary=part.is_summary)
        if part.id and not apart:
            entry["id"] = part.id
        if seal is not None and not apart:
            entry["signature"] = seal.data
            entry["format"] = seal.format.value
        yield entry
    if seal is not None and apart:
        yield encrypted(seal)


def is_apart(seal: Seal) -> bool:
    """Tell whether a seal stands in an entry of its own."""
    has_id = bool(seal.id) and seal.format is SealFormat.UNKNOWN
    return seal.is_redacted or has_id or seal.format in _APART


def text_entry(text: str, form: SealFormat, *, is_summary: bool) -> dict[str, Any]:
    """Write a text or a summary."""
    kind, field = (SUMMARY, "summary") if is_summary else (TEXT, "text")
    return {"type": kind, field: text, "format": form.value}


def encrypted(seal: Seal, *, call_id: str = "") -> dict[str, Any]:
    """Write a seal; one that stands on a call names it."""
    entry = {"type": ENCRYPTED, "data": seal.data, "format": seal.format.value}
    seal_id = call_id or seal.id
    return {**entry, "id": seal_id} if seal_id else entry
