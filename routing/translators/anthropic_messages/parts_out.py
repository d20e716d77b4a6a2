"""Writes parts as Anthropic's blocks (pure)."""

from typing import Any, Final

from routing.conversation import (
    Audio,
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    SealFormat,
    Text,
    ToolCall,
    ToolResult,
    Video,
)
from routing.dialects import fields
from routing.errors import Code
from routing.translators import media
from routing.translators.anthropic_messages import inputs, marks
from routing.translators.base import Target
from routing.translators.drops import Drops

_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_TEXTS: Final = ("text/", "application/json", "application/xml", "application/x-yaml")


class Blocks:
    """Writes parts for one target; names what is dropped."""

    __slots__ = ("_drops", "_gives_unsealed", "_links", "_seal")

    def __init__(self, target: Target, drops: Drops) -> None:
        self._drops = drops
        self._links = target.quirks.takes_links
        self._seal = target.quirks.seal or SealFormat.ANTHROPIC.value
        self._gives_unsealed = bool(target.quirks.reasoning_back_field)

    def text(self, part: Text) -> list[dict[str, Any]]:
        """Write text; none when there is nothing to read, which the vendor refuses."""
        if not part.text or part.text.isspace():
            return []
        return [marks.put({"type": "text", "text": part.text}, part.cache)]

    def content(self, part: Part) -> list[dict[str, Any]]:
        """Write what a user says or a tool gives back. Raises: RelayError (400)."""
        if isinstance(part, Text):
            return self.text(part)
        if isinstance(part, Image):
            return [self._image(part)]
        if isinstance(part, Document):
            return self._document(part)
        if isinstance(part, Audio):
            self._drops.refuse("input_audio")
        if isinstance(part, Video):
            self._drops.refuse("video")
        return self.text(Text(text=part.text)) if isinstance(part, (Refusal, Reasoning)) else []

    def said(self, part: Part) -> list[dict[str, Any]]:
        """Write what the model said; pictures and sound of its own cannot go back."""
        if isinstance(part, Text):
            return self.text(part)
        if isinstance(part, Reasoning):
            return self._reasoning(part)
        if isinstance(part, Refusal):
            return self.text(Text(text=part.text))
        if isinstance(part, Audio):
            return self.text(Text(text=part.transcript))
        self._drops.drop("messages[].content")
        return []

    def result(self, part: ToolResult, *, call_id: str) -> dict[str, Any]:
        """Write what a tool gave back."""
        content = [block for one in part.parts for block in self.content(one)]
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id}
        if part.is_error and not content:
            # An error without content is refused ([mem], 2026-11).
            content = [{"type": "text", "text": "error"}]
        if content:
            block["content"] = content
        if part.is_error:
            block["is_error"] = True
        return marks.put(block, part.cache)

    def _reasoning(self, part: Reasoning) -> list[dict[str, Any]]:
        """Write reasoning that the endpoint can open; another vendor's is no history."""
        seal = part.seal
        if seal is None or seal.format.value != self._seal:
            if not (self._gives_unsealed and part.text):
                return []
            return [{"type": "thinking", "thinking": part.text, "signature": ""}]
        if seal.is_redacted:
            return [{"type": "redacted_thinking", "data": seal.data}]
        return [{"type": "thinking", "thinking": part.text, "signature": seal.data}]

    def _image(self, part: Image) -> dict[str, Any]:
        if part.detail not in ("", "auto"):
            self._drops.drop("detail")
        source: dict[str, Any]
        if part.data:
            mime = part.mime if part.mime in _IMAGES else media.sniff(part.data, part.mime)
            if mime not in _IMAGES:
                fields.refuse(
                    Code.UNSUPPORTED_IMAGE,
                    "This model's vendor takes pictures of the types PNG, JPEG, GIF and WebP "
                    "only. Convert the picture.",
                    "image_url",
                )
            source = {"type": "base64", "media_type": mime, "data": part.data}
        else:
            if not self._links:
                self._drops.refuse("image_url")
            source = {"type": "url", "url": part.url}
        return marks.put({"type": "image", "source": source}, part.cache)

    def _document(self, part: Document) -> list[dict[str, Any]]:
        if part.mime.startswith("image/") and part.data:
            return [self._image(Image(mime=part.mime, data=part.data, cache=part.cache))]
        source = self._document_source(part)
        block: dict[str, Any] = {"type": "document", "source": source}
        if title := part.title or part.name:
            block["title"] = title
        if part.context:
            block["context"] = part.context
        if part.wants_citations:
            block["citations"] = {"enabled": True}
        return [marks.put(block, part.cache)]

    def _document_source(self, part: Document) -> dict[str, Any]:
        text = part.text
        if not text and part.data and part.mime.startswith(_TEXTS):
            text = media.text_of(part.data) or ""
        if text:
            return {"type": "text", "media_type": "text/plain", "data": text}
        if part.url:
            if not self._links:
                self._drops.refuse("file_url")
            return {"type": "url", "url": part.url}
        mime = media.sniff(part.data, part.mime)
        if mime != "application/pdf":
            self._drops.refuse("file")
        return {"type": "base64", "media_type": mime, "data": part.data}


def tool_use(call: ToolCall, *, call_id: str, name: str) -> dict[str, Any]:
    """Write a model's call."""
    block = {"type": "tool_use", "id": call_id, "name": name, "input": inputs.of(call)}
    return marks.put(block, call.cache)
