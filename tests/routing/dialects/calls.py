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
    Surface.IMAGES: {"model": "m", "prompt": "Hi"},
    Surface.IMAGE_EDITS: {
        "model": "m",
        "prompt": "Hi",
        "images": [{"image_url": "https://example.com/x.png"}],
    },
    Surface.SPEECH: {"model": "m", "input": "Hi", "voice": "alloy"},
    Surface.MODERATIONS: {"model": "m", "input": "Hi"},
    Surface.RERANK: {"model": "m", "query": "Hi", "documents": ["Hi", "Ho"]},
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


BOUNDARY = "b0unDary"


def form(*parts, boundary=BOUNDARY) -> bytes:
    """Write a form: each part is (name, value), bytes being a file, or (name, value, head)."""
    pieces = []
    for name, value, *more in parts:
        is_file = isinstance(value, bytes)
        filename = '; filename="a.bin"' if is_file else ""
        head = more[0] if more else f'Content-Disposition: form-data; name="{name}"{filename}'
        content = value if is_file else str(value).encode()
        pieces.append(f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(pieces) + f"--{boundary}--\r\n".encode()


def form_type(boundary=BOUNDARY) -> dict[str, str]:
    return {"content-type": f"multipart/form-data; boundary={boundary}"}


def decode_form(surface: Surface, *parts, **headers) -> Inbound:
    return decode(surface, form(*parts), headers={**form_type(), **headers})


def form_refusal(surface: Surface, *parts) -> RelayError:
    """Return the 400 that this form is refused with, at decoding or at the demand."""
    with pytest.raises(RelayError) as caught:
        dialects.for_surface(surface).demand(decode_form(surface, *parts))
    assert caught.value.status == 400
    return caught.value


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
