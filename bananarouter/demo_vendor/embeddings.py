"""Embeddings: vectors that depend on the text alone and mean nothing."""

import base64
import hashlib
import math
import struct
from typing import Any

from bananarouter.demo_vendor import tokens

DIMENSIONS = 1_536
DIMENSIONS_MAX = 4_096


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Return a vector of length 1 made from a digest of the text."""
    size = max(1, min(dimensions, DIMENSIONS_MAX))
    digest = hashlib.shake_256(text.encode("utf-8", "replace")).digest(size * 2)
    values = struct.unpack(f"<{size}h", digest)
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return [value / length for value in values]


def openai(body: dict[str, Any]) -> dict[str, Any]:
    """Answer `/v1/embeddings`; inputs are texts or token lists."""
    given = body["input"]
    is_one = isinstance(given, str) or (bool(given) and isinstance(given[0], int))
    inputs = [given] if is_one else list(given)
    counted = sum(tokens.count(item) if isinstance(item, str) else len(item) for item in inputs)
    size = int(body.get("dimensions") or DIMENSIONS)
    data = []
    for index, item in enumerate(inputs):
        values = vector(item if isinstance(item, str) else repr(item), size)
        packed: Any = values
        if body.get("encoding_format") == "base64":
            packed = base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
        data.append({"object": "embedding", "index": index, "embedding": packed})
    usage = {"prompt_tokens": counted, "total_tokens": counted}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def gemini(body: dict[str, Any]) -> dict[str, Any]:
    """Answer `:embedContent`."""
    return {"embedding": _gemini_vector(body)}


def gemini_batch(body: dict[str, Any]) -> dict[str, Any]:
    """Answer `:batchEmbedContents`."""
    return {"embeddings": [_gemini_vector(request) for request in body["requests"]]}


def _gemini_vector(request: dict[str, Any]) -> dict[str, Any]:
    parts = (request.get("content") or {}).get("parts") or []
    text = "\n".join(str(part.get("text", "")) for part in parts)
    return {"values": vector(text, int(request.get("outputDimensionality") or DIMENSIONS))}
