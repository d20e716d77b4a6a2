"""Reads the blocks of a request in Anthropic's shape (pure)."""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from routing import seals
from routing.conversation import (
    Cache,
    Document,
    Image,
    Part,
    Reasoning,
    Seal,
    SealFormat,
    Text,
    ToolCall,
    ToolResult,
)
from routing.dialects import fields
from routing.errors import Code
from routing.translators import arguments
from routing.translators.anthropic_messages import blocks, ids

_SUMMARIES: Final = (SealFormat.OPENAI, SealFormat.XAI)


def text_blocks(content: Any, param: str) -> list[Text]:
    """Read a string, or blocks that are all text. Empty ones say nothing and are left out."""
    if content is None:
        return []
    if type(content) is str:
        return [Text(text=content)] if content else []
    if type(content) is not list:
        fields.refuse_type(content, "a string or an array", param)
    found = []
    for number, entry in enumerate(content):
        block = fields.entry(entry, f"{param}[{number}]")
        if block.get("type") != "text":
            refuse_kind(block, f"{param}[{number}]")
        found += text_part(block, f"{param}[{number}]")
    return found


def text_part(block: Mapping[str, Any], param: str) -> list[Text]:
    """Read a block of text; [] when it is empty."""
    text = fields.text(block, "text", f"{param}.")
    return [Text(text=text, cache=cache(block, param))] if text else []


def cache(block: Mapping[str, Any], param: str) -> Cache | None:
    """Read a cache mark; `param` is "" for that of the whole request."""
    prefix = f"{param}." if param else ""
    mark = fields.mapping(block, "cache_control", prefix)
    if not mark:
        return None
    return Cache(ttl=fields.text(mark, "ttl", f"{prefix}cache_control.") or "")


def refuse_kind(block: Mapping[str, Any], param: str) -> NoReturn:
    """Raise a 400: a type of block that no other wire format has a word for."""
    kind = block.get("type")
    if type(kind) is not str:
        fields.refuse_type(kind, "a string", f"{param}.type")
    fields.refuse(
        Code.UNSUPPORTED,
        f"`{param}.type` names a kind of content that this model cannot be given: only models "
        "whose vendor speaks this protocol take it. Leave it out, or choose such a model.",
        f"{param}.type",
    )


def content_parts(content: Any, param: str) -> list[Part]:
    """Read what a user says or a tool gives back: text, pictures, documents, found pages."""
    if content is None:
        return []
    if type(content) is str:
        return [Text(text=content)] if content else []
    if type(content) is not list:
        fields.refuse_type(content, "a string or an array", param)
    found: list[Part] = []
    for number, entry in enumerate(content):
        where = f"{param}[{number}]"
        found += content_part(fields.entry(entry, where), where)
    return found


def content_part(block: Mapping[str, Any], param: str) -> list[Part]:
    """Read one such block."""
    kind = block.get("type")
    if kind == "text":
        return [*text_part(block, param)]
    if kind == "image":
        return [_image(block, param)]
    if kind == "document":
        return _document(block, param)
    if kind == "search_result":
        return [_search_result(block, param)]
    if kind == "tool_reference":  # all tools are loaded elsewhere: the model may call it
        name = fields.text(block, "tool_name", f"{param}.") or ""
        return [Text(text=f"Tool available: {name}", cache=cache(block, param))]
    refuse_kind(block, param)


def _image(block: Mapping[str, Any], param: str) -> Image:
    where = f"{param}.source."
    source = fields.entry(block.get("source"), f"{param}.source")
    kind = source.get("type")
    if kind == "base64":
        return Image(
            mime=_needed(source, "media_type", where).lower(),
            data=_needed(source, "data", where),
            cache=cache(block, param),
        )
    if kind == "url":
        return Image(url=_needed(source, "url", where), cache=cache(block, param))
    refuse_kind(source, f"{param}.source")


def _needed(body: Mapping[str, Any], name: str, prefix: str) -> str:
    value = fields.text(body, name, prefix)
    if not value:
        fields.refuse_missing(prefix + name, "what is to be read")
    return value


def _document(block: Mapping[str, Any], param: str) -> list[Part]:
    where = f"{param}.source."
    source = fields.entry(block.get("source"), f"{param}.source")
    kind = source.get("type")
    about: dict[str, Any] = {
        "title": fields.text(block, "title", f"{param}.") or "",
        "context": fields.text(block, "context", f"{param}.") or "",
        "wants_citations": _wants_citations(block, param),
        "cache": cache(block, param),
    }
    if kind == "base64":
        mime = _needed(source, "media_type", where).lower()
        return [Document(mime=mime, data=_needed(source, "data", where), **about)]
    if kind == "text":
        text = _needed(source, "data", where)
        return [Document(mime="text/plain", text=text, **about)]
    if kind == "url":
        return [Document(url=_needed(source, "url", where), **about)]
    if kind == "content":
        parts = content_parts(source.get("content"), f"{param}.source.content")
        if all(isinstance(part, Text) for part in parts):
            text = "\n".join(part.text for part in parts if isinstance(part, Text))
            return [Document(mime="text/plain", text=text, **about)]
        return parts
    refuse_kind(source, f"{param}.source")


def _wants_citations(block: Mapping[str, Any], param: str) -> bool:
    return fields.flag(fields.mapping(block, "citations", f"{param}."), "enabled")


def _search_result(block: Mapping[str, Any], param: str) -> Text:
    """Read a page that the caller found: its title and address, then its text."""
    heads = (fields.text(block, name, f"{param}.") for name in ("title", "source"))
    texts = (part.text for part in text_blocks(block.get("content"), f"{param}.content"))
    said = "\n".join(line for line in (*heads, *texts) if line)
    return Text(text=said, cache=cache(block, param))


def tool_result(block: Mapping[str, Any], param: str) -> ToolResult:
    """Read what a tool gave back."""
    content = content_parts(block.get("content"), f"{param}.content")
    return ToolResult(
        call_id=ids.from_client(_needed(block, "tool_use_id", f"{param}.")),
        parts=tuple(content),
        is_error=fields.flag(block, "is_error"),
        cache=cache(block, param),
    )


def tool_call(block: Mapping[str, Any], param: str) -> ToolCall:
    """Read a model's call."""
    given = fields.mapping(block, "input", f"{param}.")
    return ToolCall(
        id=ids.from_client(_needed(block, "id", f"{param}.")),
        name=_needed(block, "name", f"{param}."),
        arguments=arguments.as_text(given),
        cache=cache(block, param),
    )


def thinking(block: Mapping[str, Any], param: str, *, key: bytes) -> Reasoning:
    """Read a thinking block: Anthropic's own, or another vendor's with our envelope."""
    text = fields.text(block, "thinking", f"{param}.") or ""
    seal = _seal(fields.text(block, "signature", f"{param}.") or "", key=key, is_redacted=False)
    return _reasoning(text, seal)


def redacted(block: Mapping[str, Any], param: str, *, key: bytes) -> Reasoning:
    """Read redacted thinking: Anthropic's own, or our envelope."""
    return _reasoning("", _seal(_needed(block, "data", f"{param}."), key=key, is_redacted=True))


def _seal(text: str, *, key: bytes, is_redacted: bool) -> Seal | None:
    if seals.is_envelope(text):
        return seals.unwrap(text, key=key)  # one that does not open is no seal
    return blocks.redacted_seal(text) if text and is_redacted else blocks.thinking_seal(text)


def _reasoning(text: str, seal: Seal | None) -> Reasoning:
    if seal is None:
        return Reasoning(text=text)
    is_summary = bool(text) and seal.format in _SUMMARIES
    is_own = seal.format is not SealFormat.GOOGLE  # Gemini's ids are our notes of the place
    return Reasoning(
        text=text,
        is_summary=is_summary,
        format=seal.format,
        seal=seal,
        id=seal.id if is_own else "",
    )
