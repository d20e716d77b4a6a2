"""Our parts as parts of a Responses message or of a tool's output (pure)."""

import base64
from collections.abc import Iterable
from typing import Any

from routing.conversation import Audio, Document, Image, Part, Text, Video
from routing.translators import media
from routing.translators.drops import Drops


def given(parts: Iterable[Part], drops: Drops) -> list[dict[str, Any]]:
    """Write what a user or a tool gave. Raises: RelayError (400) for sound and film."""
    written = (_part(part, drops) for part in parts)
    return [part for part in written if part is not None]


def _part(part: Part, drops: Drops) -> dict[str, Any] | None:
    if isinstance(part, Text):
        if part.cache is not None:
            drops.note("cache_control")
        return {"type": "input_text", "text": part.text} if part.text else None
    if isinstance(part, Image):
        return image(part, drops)
    if isinstance(part, Document):
        return _document(part, drops)
    if isinstance(part, Audio):
        drops.refuse("input_audio")
    if isinstance(part, Video):
        drops.refuse("video")
    return None


def image(part: Image, drops: Drops) -> dict[str, Any]:
    """Write a picture."""
    if part.cache is not None:
        drops.note("cache_control")
    mime = part.mime or media.sniff(part.data, "image/png")
    written = {
        "type": "input_image",
        "image_url": media.join(mime, part.data) if part.data else part.url,
    }
    if part.detail:
        written["detail"] = part.detail
    return written


def _document(part: Document, drops: Drops) -> dict[str, Any]:
    if part.cache is not None:
        drops.note("cache_control")
    drops.drop_if("context", given=part.context)
    drops.drop_if("citations", given=part.wants_citations)
    if part.url:
        drops.drop_if("title", given=part.title)
        return {"type": "input_file", "file_url": part.url}
    data, mime = part.data, part.mime or "application/pdf"
    if not data:
        data, mime = base64.b64encode(part.text.encode()).decode(), part.mime or "text/plain"
    return {
        "type": "input_file",
        "filename": part.name or part.title or media.file_name(mime),
        "file_data": media.join(mime, data),
    }
