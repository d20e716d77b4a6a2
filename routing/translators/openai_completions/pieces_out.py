"""The pieces that whole completions and their chunks have in common (pure)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from routing.conversation import FinishReason
from routing.readers.answer import dicts, word
from routing.translators.base import Answering

# A refusal's words are text here, so that it ends like one.
FINISHES: Final[Mapping[FinishReason, str]] = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.TOOL_CALLS: "stop",
    FinishReason.CONTENT_FILTER: "content_filter",
    FinishReason.REFUSAL: "content_filter",
    FinishReason.PAUSE: "stop",
    FinishReason.ERROR: "error",
    FinishReason.OTHER: "stop",
}


def head(answering: Answering) -> dict[str, Any]:
    """Write what stands before the choices."""
    written: dict[str, Any] = {
        "id": answering.id if answering.is_platform else f"cmpl-{answering.hex}",
        "object": "text_completion",
        "created": answering.created,
        "model": answering.model,
    }
    if answering.is_platform:
        written["provider"] = answering.vendor
    return written


def logprobs(tokens: Iterable[Mapping[str, Any]], *, offset: int) -> dict[str, Any]:
    """Write tokens' probabilities as the legacy API does: lists side by side."""
    written: dict[str, Any] = {
        "tokens": [],
        "token_logprobs": [],
        "top_logprobs": [],
        "text_offset": [],
    }
    for token in tokens:
        text = word(token.get("token"))
        written["tokens"].append(text)
        written["token_logprobs"].append(token.get("logprob"))
        tops = dicts(token.get("top_logprobs"))
        written["top_logprobs"].append({word(top.get("token")): top.get("logprob") for top in tops})
        written["text_offset"].append(offset)
        offset += len(text)
    return written
