"""Short ways to put a request through a dialect."""

import json

import pytest

from routing import dialects
from routing.dialects.base import Demand, Inbound, Outbound, PathParts, Quirks
from routing.errors import RelayError
from routing.surfaces import Surface

MINIMAL = {
    Surface.CHAT: {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    Surface.RESPONSES: {"model": "m", "input": "Hi"},
    Surface.INPUT_TOKENS: {"model": "m", "input": "Hi"},
    Surface.COMPACT: {"model": "m", "input": "Hi"},
    Surface.EMBEDDINGS: {"model": "m", "input": "Hi"},
    Surface.MESSAGES: {
        "model": "m",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "Hi"}],
    },
    Surface.COUNT_TOKENS: {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    Surface.GENERATE: {"contents": [{"parts": [{"text": "Hi"}]}]},
    Surface.GEMINI_COUNT: {"contents": [{"parts": [{"text": "Hi"}]}]},
    Surface.GEMINI_EMBED: {"content": {"parts": [{"text": "Hi"}]}},
    Surface.GEMINI_BATCH_EMBED: {"requests": [{"content": {"parts": [{"text": "Hi"}]}}]},
}


def dump(body) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()


def decode(surface: Surface, body=None, *, headers=None, path=None, **extra) -> Inbound:
    """Decode a body; `extra` fields are laid over the surface's smallest request."""
    if body is None:
        body = {**MINIMAL[surface], **extra}
    return dialects.for_surface(surface).decode(
        surface=surface, raw=dump(body), headers=headers or {}, path=path or PathParts(model="m")
    )


def demand(surface: Surface, body=None, **extra) -> Demand:
    return dialects.for_surface(surface).demand(decode(surface, body, **extra))


def encode(
    inbound: Inbound, *, upstream_name="up", output_limit=None, tag="", **quirks
) -> Outbound:
    return dialects.for_surface(inbound.surface).encode(
        inbound,
        upstream_name=upstream_name,
        quirks=Quirks(**quirks),
        account_tag=tag,
        output_limit=output_limit,
    )


def refusal(surface: Surface, body=None, **extra) -> RelayError:
    """Return the 400 that this request is refused with, at decoding or at the demand."""
    with pytest.raises(RelayError) as caught:
        demand(surface, body, **extra)
    error = caught.value
    assert error.status == 400
    assert len(error.message) > 30
    return error
