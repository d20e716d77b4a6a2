"""What the writers of requests share."""

import base64
import json
from typing import Any

from tests.conformance.normal import Media, Result, Text

FORMATS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mp3": "mp3", "audio/mpeg": "mp3"}
ENDINGS = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp",
           "gif": "image/gif", "pdf": "application/pdf", "txt": "text/plain"}  # fmt: skip


def encoded(media: Media) -> str:
    return media.data + "=" * (-len(media.data) % 4)


def decoded(media: Media) -> str:
    return base64.b64decode(encoded(media)).decode()


def address(media: Media) -> str:
    """Return the media's URL, or its data as one."""
    return media.url or f"data:{media.mime};base64,{encoded(media)}"


def compact(arguments: Any) -> str:
    if set(arguments) == {"_raw"}:
        return arguments["_raw"]
    return json.dumps(arguments, separators=(",", ":"), ensure_ascii=False)


def text_of(result: Result) -> str:
    return "".join(part.text for part in result.parts if isinstance(part, Text))


def mime_of(media: Media) -> str:
    """Return the media type, by the address where nothing else tells."""
    ending = media.url.partition("?")[0].rpartition(".")[2].lower()
    fallback = {"image": "image/jpeg", "document": "application/pdf"}.get(media.kind, "")
    return media.mime or ENDINGS.get(ending, fallback)
