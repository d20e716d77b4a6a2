"""Pictures, sound and documents as URLs with the data inside, and apart (pure)."""

import base64
from typing import Final

_EXTENSIONS: Final = {
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/markdown": "md",
    "text/csv": "csv",
    "text/html": "html",
    "application/json": "json",
}
_AUDIO_FORMATS: Final = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mp3": "mp3",
    "audio/mpeg": "mp3",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/aac": "aac",
    "audio/aiff": "aiff",
    "audio/mp4": "m4a",
    "audio/webm": "webm",
    "audio/l16": "pcm16",
}
_SIGNS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
)


def split(url: str) -> tuple[str, str] | None:
    """Return type and base64 of a data URL; None for any other. Text data becomes base64."""
    if url[:5].lower() != "data:":
        return None
    head, comma, data = url[5:].partition(",")
    if not comma:
        return None
    mime, *rest = head.split(";")
    if "base64" not in (word.strip().lower() for word in rest):
        data = base64.b64encode(data.encode()).decode()
    return mime.strip().lower() or "text/plain", data


def join(mime: str, data: str) -> str:
    """Return a data URL."""
    return f"data:{mime};base64,{data}"


def sniff(data: str, default: str = "") -> str:
    """Return the type that the first bytes of base64 data show, else the default."""
    try:
        head = base64.b64decode(data[:64] + "=" * (-len(data[:64]) % 4))
    except ValueError:  # no base64, or no ASCII at all
        return default
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12], default)
    return next((mime for sign, mime in _SIGNS if head.startswith(sign)), default)


def text_of(data: str) -> str | None:
    """Return base64 data as text; None when it is none."""
    try:
        return base64.b64decode(data, validate=True).decode()
    except ValueError:  # no base64, or no UTF-8 in it
        return None


def file_name(mime: str) -> str:
    """Return a name for a document that has none."""
    return f"document.{_EXTENSIONS.get(mime, 'pdf' if not mime else 'bin')}"


def audio_format(mime: str) -> str:
    """Return what OpenAI calls a type of sound; the type's own last word where unknown."""
    return _AUDIO_FORMATS.get(mime.partition(";")[0].lower(), mime.rpartition("/")[2])


def audio_mime(name: str) -> str:
    """Return the type of a sound from what OpenAI calls it."""
    return {"mp3": "audio/mpeg", "pcm16": "audio/l16", "m4a": "audio/mp4"}.get(
        name, f"audio/{name}"
    )
