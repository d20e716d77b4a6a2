"""The pieces that whole answers and chunks of a stream have in common (pure)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from routing.conversation import Citation, FinishReason, Image
from routing.readers.answer import dicts, mapping, word
from routing.translators import arguments, media
from routing.translators.base import Answering

_FINISHES: Final[Mapping[FinishReason, str]] = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.TOOL_CALLS: "tool_calls",
    FinishReason.CONTENT_FILTER: "content_filter",
    FinishReason.PAUSE: "stop",
    FinishReason.ERROR: "error",
    FinishReason.OTHER: "stop",
}


class Wishes:
    """What the client's request says of the form of its answer."""

    __slots__ = ("_custom", "hides_reasoning", "is_old")

    def __init__(self, body: Mapping[str, Any]) -> None:
        # `functions` of before 2024: the answer has one `function_call` instead of `tool_calls`.
        self.is_old = bool(body.get("functions")) and not body.get("tools")
        self.hides_reasoning = (
            mapping(body.get("reasoning")).get("exclude") is True
            or body.get("include_reasoning") is False
        )
        self._custom = frozenset(
            word(mapping(tool.get("custom")).get("name"))
            for tool in dicts(body.get("tools"))
            if tool.get("type") == "custom"
        )

    def is_custom(self, name: str) -> bool:
        """Tell whether the client declared a tool as one that takes any text."""
        return name in self._custom

    def finish(self, reason: FinishReason, *, has_refusal: bool) -> str:
        """Return the word for why an answer ended."""
        if reason is FinishReason.REFUSAL:
            return "stop" if has_refusal else "content_filter"
        if reason is FinishReason.TOOL_CALLS and self.is_old:
            return "function_call"
        return _FINISHES[reason]


def head(answering: Answering, kind: str) -> dict[str, Any]:
    """Write what stands before the choices."""
    written: dict[str, Any] = {
        "id": answering.id if answering.is_platform else f"chatcmpl-{answering.hex}",
        "object": kind,
        "created": answering.created,
        "model": answering.model,
    }
    if answering.is_platform:
        written["provider"] = answering.vendor
    return written


def custom_input(text: str, *, is_custom: bool) -> str:
    """Return what goes into a custom tool, also where it travelled as a function's `input`."""
    if is_custom:
        return text
    given = arguments.as_object(text).get("input")
    return given if isinstance(given, str) else text


def annotation(citation: Citation, *, offset: int, length: int) -> dict[str, Any] | None:
    """Write a source; where no place is told, it is the whole text that it stands on."""
    if not citation.url:
        return None
    start, end = citation.start, citation.end
    if start is None or end is None:
        start, end = 0, length
    cited = {
        "url": citation.url,
        "title": citation.title,
        "start_index": offset + start,
        "end_index": offset + end,
    }
    if citation.cited_text:
        cited["content"] = citation.cited_text
    return {"type": "url_citation", "url_citation": cited}


def image(picture: Image) -> dict[str, Any]:
    """Write a picture that a model made."""
    url = picture.url or media.join(picture.mime, picture.data)
    return {"type": "image_url", "image_url": {"url": url}}


def logprobs(tokens: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Write tokens' probabilities."""
    content = [{"bytes": None, "top_logprobs": [], **token} for token in tokens]
    return {"content": content, "refusal": None}
