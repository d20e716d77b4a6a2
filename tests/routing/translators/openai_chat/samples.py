"""What the tests of this wire format begin with."""

import json
from collections.abc import Iterable
from typing import Any

from billing.usage import UnitClass, Usage
from routing.dialects.base import Quirks
from routing.events import Event
from routing.surfaces import Surface
from routing.translators import openai_chat
from routing.translators.base import Answering, Bill, Encoded, Target

GENERATION = "gen-" + "0af1" * 8
KEY = b"k" * 32
USAGE = Usage(
    quantities={
        UnitClass.INPUT: 100,
        UnitClass.CACHE_READ: 20,
        UnitClass.CACHE_WRITE_5M: 7,
        UnitClass.AUDIO_INPUT: 3,
        UnitClass.OUTPUT: 40,
        UnitClass.REASONING: 11,
        UnitClass.WEB_SEARCH: 2,
    }
)
BILL = Bill(usage=USAGE, cost_nusd=317_001)


def answering(body: dict[str, Any] | None = None, **changes: Any) -> Answering:
    known = {
        "surface": Surface.CHAT,
        "id": GENERATION,
        "model": "acme/chat",
        "vendor": "Acme",
        "created": 1_800_000_000,
        "body": body or {},
        "seal_key": KEY,
    }
    return Answering(**{**known, **changes})


def encoded(
    body: dict[str, Any], *, target: dict[str, Any] | None = None, **quirks: Any
) -> Encoded:
    """Read a client's request and write it for a vendor of the same wire format."""
    request = openai_chat.decode_request(body, seal_key=KEY)
    return openai_chat.encode_request(
        request, Target(upstream_name="chat-1", quirks=Quirks(**quirks), **(target or {}))
    )


def sent(body: dict[str, Any], *, target: dict[str, Any] | None = None, **quirks: Any) -> Any:
    """Return the body that a vendor gets."""
    return json.loads(encoded(body, target=target, **quirks).outbound.body)


def said(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a request of these messages."""
    return {"model": "m", "messages": list(messages), **fields}


def user(content: Any = "Hi") -> dict[str, Any]:
    return {"role": "user", "content": content}


def decoded(*chunks: Any) -> list[Event]:
    """Decode chunks (JSON, or the bytes themselves) as one stream."""
    decoder = openai_chat.stream_decoder()
    events: list[Event] = []
    for chunk in chunks:
        data = chunk if isinstance(chunk, bytes) else json.dumps(chunk).encode()
        events += decoder.decode(data)
    return [*events, *decoder.end()]


def delta(_finish: str | None = None, _index: int = 0, **fields: Any) -> dict[str, Any]:
    """Return a chunk."""
    choice = {"index": _index, "delta": fields, "finish_reason": _finish}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice]}


def streamed(events: Iterable[Event], **changes: Any) -> bytes:
    """Encode a whole stream."""
    encoder = openai_chat.stream_encoder(answering(**changes))
    return b"".join(map(encoder.encode, events)) + encoder.finish(BILL)


def documents(stream: bytes) -> list[Any]:
    """Return the JSON of a stream's events, which ends as it must."""
    blocks = stream.decode().split("\n\n")
    assert blocks.pop() == ""
    assert blocks.pop() == "data: [DONE]"
    assert all(block.startswith("data: {") for block in blocks)
    return [json.loads(block[6:]) for block in blocks]


def deltas(stream: bytes) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in documents(stream) for choice in chunk["choices"]]
