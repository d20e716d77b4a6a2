"""Parts of our turns as parts of Gemini's contents (pure)."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from routing import seals
from routing.conversation import (
    Audio,
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    Seal,
    SealFormat,
    Text,
    ToolCall,
    ToolResult,
    Video,
)
from routing.dialects.base import Quirks
from routing.translators import media
from routing.translators.drops import Drops
from routing.translators.gemini_generate import ids, media_in, signatures, writing
from routing.translators.gemini_generate.writing import Json
from routing.translators.names import Names

_RESOLUTIONS: Final = {
    "low": "MEDIA_RESOLUTION_LOW",
    "high": "MEDIA_RESOLUTION_HIGH",
    "original": "MEDIA_RESOLUTION_HIGH",
}


class PartWriter:
    """Writes parts for one request; `details` collects what pictures asked for."""

    def __init__(self, quirks: Quirks, drops: Drops, names: Names) -> None:
        self._quirks = quirks
        self._drops = drops
        self._names = names
        self._opens = SealFormat(quirks.seal) if quirks.seal else SealFormat.GOOGLE
        # Gemini 3 signs calls, has a resolution for each part, and media inside of results.
        self._is_third = quirks.reasoning == "level"
        self.details: dict[str, None] = {}

    def write(self, part: Part, where: str) -> Json | None:
        """Write a part; None when nothing of it can be told. Raises: RelayError (400)."""
        written: Json | None = self._WRITERS[type(part)](self, part, where)
        return written

    def _media_of(self, result: ToolResult) -> list[Json]:
        found = [
            self.write(part, "tool result")
            for part in result.parts
            if isinstance(part, (Image, Audio, Video, Document))
        ]
        return [part for part in found if part is not None]

    def call(self, part: ToolCall, *, is_first: bool) -> Json:
        """Write a call; the first of a turn must be signed where Gemini 3 reads it."""
        args = writing.args(part.arguments, is_custom=part.is_custom)
        told: Json = {"name": self._names.of(part.name), "args": args}
        if part.id and not ids.is_made(part.id):
            told = {"id": part.id, **told}
        written: Json = {"functionCall": told}
        seal = self._seal(part.seal)
        if seal:
            written["thoughtSignature"] = seal
        elif is_first and self._is_third and ids.was_never_signed(part.id):
            written["thoughtSignature"] = signatures.SENTINEL
        return written

    def response(self, result: ToolResult, call: ToolCall) -> Json:
        """Write what a tool gave back to this call."""
        told: Json = {"name": self._names.of(call.name), "response": _response(result)}
        if call.id and not ids.is_made(call.id):
            told = {"id": call.id, **told}
        nested = self._media_of(result) if self._is_third else []
        if nested:
            told["parts"] = nested
        return {"functionResponse": told}

    def beside(self, result: ToolResult, call: ToolCall) -> list[Json]:
        """Write what of a result stands beside all results: its media, before Gemini 3.

        Google answers a content of both (recorded 2026).
        """
        media_parts = [] if self._is_third else self._media_of(result)
        return [{"text": f"Output of {call.name}:"}, *media_parts] if media_parts else []

    def _seal(self, seal: Seal | None) -> str:
        if seal is None:
            return ""
        if seal.format is not self._opens or seals.is_envelope(seal.data):
            self._drops.note("reasoning_details")
            return ""
        return seal.data

    def _text(self, part: Text, where: str) -> Json | None:
        del where
        if part.cache is not None:
            self._drops.note("cache_control")
        seal = self._seal(part.seal)
        if not part.text and not seal:
            return None
        return {"text": part.text, "thoughtSignature": seal} if seal else {"text": part.text}

    def _refusal(self, part: Refusal, where: str) -> Json | None:
        del where
        return {"text": part.text} if part.text else None

    def _reasoning(self, part: Reasoning, where: str) -> Json | None:
        """Write Google's own thoughts; other vendors' are no history of this model."""
        del where
        origin = part.seal.format if part.seal is not None else part.format
        if origin is not self._opens:
            self._drops.note("reasoning_details")
            return None
        seal = self._seal(part.seal)
        # A seal may stand alone on a thought (recorded 2026, answered 200).
        written: Json = {"text": part.text, "thought": True} if part.text else {"thought": True}
        return {**written, "thoughtSignature": seal} if seal else written if part.text else None

    def _image(self, part: Image, where: str) -> Json | None:
        if part.cache is not None:
            self._drops.note("cache_control")
        written = self._blob(part.mime or media.sniff(part.data, "image/png"), part, where)
        resolution = _RESOLUTIONS.get(part.detail)
        if resolution and self._is_third:
            written["mediaResolution"] = {"level": resolution}
        self.details[resolution or ""] = None
        seal = self._seal(part.seal)
        return {**written, "thoughtSignature": seal} if seal else written

    def _audio(self, part: Audio, where: str) -> Json | None:
        if not part.data and not part.url:  # an answer of before, told by its id or its words
            return {"text": part.transcript} if part.transcript else None
        if not self._quirks.takes_audio:
            self._drops.refuse("input_audio")
        return self._blob(part.mime or media.sniff(part.data, "audio/wav"), part, where)

    def _video(self, part: Video, where: str) -> Json | None:
        written = self._blob(part.mime or "video/mp4", part, where)
        return {**written, "videoMetadata": dict(part.native)} if part.native else written

    def _document(self, part: Document, where: str) -> Json | None:
        if part.cache is not None:
            self._drops.note("cache_control")
        self._drops.drop_if("document.title", given=part.title)
        self._drops.drop_if("document.context", given=part.context)
        self._drops.drop_if("citations", given=part.wants_citations)
        if part.text and not part.data and not part.url:
            data = base64.b64encode(part.text.encode("utf-8", "replace")).decode()
            return {"inlineData": {"mimeType": part.mime or "text/plain", "data": data}}
        sniffed = media.sniff(part.data, "application/pdf") if part.data else "application/pdf"
        return self._blob(part.mime or sniffed, part, where)

    def _blob(self, mime: str, part: Image | Audio | Video | Document, where: str) -> Json:
        if part.data:
            return {"inlineData": {"mimeType": mime, "data": part.data}}
        if not self._quirks.takes_links and not part.url.startswith(media_in.FILMS):
            self._drops.refuse(f"{where}.url")
        mime = part.mime or media_in.mime_of(part.url) or mime
        return {"fileData": {"mimeType": mime, "fileUri": part.url}}

    def _nothing(self, part: Part, where: str) -> Json | None:
        """Write nothing: calls and results have their own places in a turn."""
        del part, where
        return None

    _WRITERS: Final[Mapping[type, Callable[..., Json | None]]] = {
        Text: _text,
        Refusal: _refusal,
        Reasoning: _reasoning,
        Image: _image,
        Audio: _audio,
        Video: _video,
        Document: _document,
        ToolCall: _nothing,
        ToolResult: _nothing,
    }


def _response(result: ToolResult) -> Json:
    """Return a result as an object: JSON as it is, all else as `output`, errors as `error`."""
    text = "".join(part.text for part in result.parts if isinstance(part, (Text, Refusal)))
    if result.is_error:
        return {"error": text}
    try:
        value = json.loads(text) if text.lstrip()[:1] == "{" else None
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and writing.is_writable(value, text) and not _has_references(value):
        return value
    return {"output": text}


def _has_references(value: Any) -> bool:
    """Tell whether Gemini would read keys of a result as references (vercel/ai#14369, 2026).

    Such a result is told as text, which loses nothing.
    """
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if not node.keys().isdisjoint(("$ref", "$defs")):
                return True
            stack += node.values()
        elif isinstance(node, list):
            stack += node
    return False
