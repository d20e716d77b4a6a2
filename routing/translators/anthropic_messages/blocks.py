"""Blocks of an answer in Anthropic's shape, made of ours and read into ours (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from routing import seals
from routing.conversation import Citation, Reasoning, Seal, SealFormat

# In the id of an envelope, whose vendor (Gemini) has none: the seal stands on the text before,
# or on a text of its own that is empty.
ON_TEXT: Final = "@text"
ON_NOTHING: Final = "@empty"

_CITATIONS: Final = frozenset(
    {
        "char_location",
        "page_location",
        "content_block_location",
        "web_search_result_location",
        "search_result_location",
    }
)


def text(value: Any) -> str:
    """Return a string; "" for anything else."""
    return value if type(value) is str else ""


def citation(told: Any) -> Citation | None:
    """Read a citation of any kind; it has no offsets: its span is the whole block."""
    if type(told) is not dict:
        return None
    return Citation(
        url=text(told.get("url")) or text(told.get("source")),
        title=text(told.get("title")) or text(told.get("document_title")),
        cited_text=text(told.get("cited_text")),
        encrypted_index=text(told.get("encrypted_index")),
        native=told,
    )


def native_citation(cited: Citation) -> Mapping[str, Any] | None:
    """Write a citation; None where this wire format cannot: it lacks Anthropic's own index."""
    if cited.native is not None and str(cited.native.get("type")) in _CITATIONS:
        return cited.native
    if not (cited.encrypted_index and cited.url):
        return None
    return {
        "type": "web_search_result_location",
        "url": cited.url,
        "title": cited.title or None,
        "cited_text": cited.cited_text,
        "encrypted_index": cited.encrypted_index,
    }


def thinking_seal(signature: str) -> Seal | None:
    """Return the seal of a vendor's thinking block."""
    return Seal(format=SealFormat.ANTHROPIC, data=signature) if signature else None


def redacted_seal(data: str) -> Seal:
    """Return the seal of a vendor's redacted thinking."""
    return Seal(format=SealFormat.ANTHROPIC, data=data, is_redacted=True)


def signature(seal: Seal, *, key: bytes) -> str:
    """Return what stands in a client's signature field: Anthropic's own, else our envelope."""
    if seal.format is SealFormat.ANTHROPIC:
        return seal.data
    return seals.wrap(seal, key=key)


def reasoning(part: Reasoning, *, key: bytes) -> list[dict[str, Any]]:
    """Write reasoning, sealed or not."""
    seal = part.seal
    if seal is None:
        return [_thinking(part.text, "")] if part.text else []
    if seal.is_redacted or not (part.text or seal.format is SealFormat.ANTHROPIC):
        before = [_thinking(part.text, "")] if part.text else []
        return [*before, sealed(seal, key=key)]
    return [_thinking(part.text, signature(seal, key=key))]


def sealed(seal: Seal, *, key: bytes) -> dict[str, Any]:
    """Write a seal that stands alone, as the one block that holds nothing else."""
    return {"type": "redacted_thinking", "data": signature(seal, key=key)}


def _thinking(thought: str, sign: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": thought, "signature": sign}
