"""Counts a prompt's tokens here, where no vendor does: an estimate, and told as one."""

import asyncio
from typing import Any

import orjson

from routing import prompt_texts, tokenizer
from routing.admission import COUNT_INLINE_CHARS
from routing.catalogue import Endpoint
from routing.dialects.base import Inbound, Quirks
from routing.errors import Code, RelayError
from routing.surfaces import Family, Surface

# Told by the header `X-Token-Count`.
VENDOR = "vendor"
ESTIMATE = "estimate"
# A vendor's count is worth this much waiting; it takes tenths of a second where it works.
VENDOR_COUNT_S = 10

# What an estimate cannot mend: the request itself is wrong, or too much for the model.
_CALLERS_FAULT = frozenset(
    {
        Code.CONTENT_POLICY,
        Code.CONTEXT_LENGTH,
        Code.INVALID_IMAGE,
        Code.UNSUPPORTED_IMAGE,
        Code.IMAGE_TOO_LARGE,
        Code.IMAGE_DOWNLOAD,
        Code.VENDOR_TOO_LARGE,
        Code.VENDOR_REFUSED,
    }
)


def is_counted_by(endpoint: Endpoint, surface: Surface) -> bool:
    """Tell whether an endpoint's vendor has the operation of this surface."""
    return endpoint.channel.family is surface.family and _has_operation(endpoint.quirks, surface)


def may_estimate(error: RelayError) -> bool:
    """Tell whether a vendor's failure to count leaves room for an estimate."""
    return error.code not in _CALLERS_FAULT or error.vendor_status in (404, 405)


async def tokens(inbound: Inbound, family: Family) -> int:
    """Return about how many tokens a request's prompt has for a family's models; at least 1."""
    # A long prompt is counted beside the loop, which must not stand still.
    if len(inbound.raw) < COUNT_INLINE_CHARS:
        return _count(inbound, family)
    return await asyncio.to_thread(_count, inbound, family)


def body(surface: Surface, counted: int) -> bytes:
    """Return a count in the strict shape of its protocol."""
    return orjson.dumps(_shape(surface, counted))


def _count(inbound: Inbound, family: Family) -> int:
    texts, others = prompt_texts.of(inbound.surface, inbound.body).read_by(family)
    return max(1, sum(map(tokenizer.count, texts)) + others)


def _has_operation(quirks: Quirks, surface: Surface) -> bool:
    match surface:
        case Surface.INPUT_TOKENS:
            return quirks.has_input_tokens and quirks.speaks_responses
        case Surface.COUNT_TOKENS:
            return quirks.has_count_tokens
        case Surface.GEMINI_COUNT:
            return quirks.has_gemini_count
    raise KeyError(surface)


def _shape(surface: Surface, counted: int) -> dict[str, Any]:
    match surface:
        case Surface.INPUT_TOKENS:
            return {"object": "response.input_tokens", "input_tokens": counted}
        case Surface.COUNT_TOKENS:
            return {"input_tokens": counted}
        case Surface.GEMINI_COUNT:
            return {"totalTokens": counted}
    raise KeyError(surface)
