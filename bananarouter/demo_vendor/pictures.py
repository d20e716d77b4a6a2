"""Pictures: a pattern that depends on the prompt alone and shows nothing."""

import base64
import hashlib
import struct
import time
import zlib
from collections.abc import Iterator
from typing import Any

from bananarouter.demo_vendor import answers, beats, forms, tokens

SIDE = 64
# What gpt-image-1 writes for a square picture, by quality
# (platform.openai.com/docs/guides/image-generation [mem, 2026-11]).
TOKENS = {"low": 272, "medium": 1_056, "high": 4_160}
PARTIAL_TOKENS = 100
INPUT_IMAGE_TOKENS = 323
METERED_MODEL = "demo-image"


def png(text: str, step: int = 0) -> bytes:
    """Return a small PNG, labeled as simulated; the same text makes the same picture."""
    digest = hashlib.sha256(f"{step}:{text}".encode("utf-8", "replace")).digest()
    red, green, blue = digest[:3]
    rows = b"".join(
        b"\0" + bytes(
            channel
            for x in range(SIDE)
            for channel in (red ^ x * 4 & 255, green ^ y * 4 & 255, blue ^ (x ^ y) * 4 & 255)
        )
        for y in range(SIDE)
    )  # fmt: skip
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    label = b"Comment\0" + answers.LABEL.encode()
    chunks = ((b"IHDR", head), (b"tEXt", label), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def _pictures_in(body: dict[str, Any]) -> int:
    given = [body.get(name) for name in ("image", "images", "mask")]
    return sum(len(item) if isinstance(item, list) else item is not None for item in given)


def usage(body: dict[str, Any], count: int) -> dict[str, Any]:
    """Return the usage as gpt-image counts."""
    text, pictures = tokens.count(str(body.get("prompt", ""))), _pictures_in(body)
    read = text + pictures * INPUT_IMAGE_TOKENS
    each = TOKENS.get(str(body.get("quality")), TOKENS["medium"])
    written = count * (each + PARTIAL_TOKENS * int(body.get("partial_images") or 0))
    return {
        "input_tokens": read,
        "output_tokens": written,
        "total_tokens": read + written,
        "input_tokens_details": {
            "text_tokens": text,
            "image_tokens": pictures * INPUT_IMAGE_TOKENS,
        },
        "output_tokens_details": {"text_tokens": 0, "image_tokens": written},
    }


def whole(body: dict[str, Any]) -> dict[str, Any]:
    """Return a whole answer; a model that is billed by the image tells no usage."""
    count = int(body.get("n") or 1)
    text = str(body.get("prompt", "variation"))
    data = [{"b64_json": base64.b64encode(png(f"{text} {n}")).decode()} for n in range(count)]
    found: dict[str, Any] = {"created": int(time.time()), "data": data}
    if body["model"] == METERED_MODEL:
        found |= {"output_format": "png", "quality": "medium", "size": "1024x1024"}
        found["usage"] = usage(body, count)
    return found


def events(body: dict[str, Any], name: str) -> Iterator[beats.Beat]:
    """Yield the partial pictures, then each complete one."""
    frame = {
        "created_at": int(time.time()), "size": "1024x1024", "quality": "medium",
        "background": "opaque", "output_format": "png",
    }  # fmt: skip
    text = str(body.get("prompt", ""))
    for index in range(int(body.get("partial_images") or 0)):
        packed = base64.b64encode(png(text, index + 1)).decode()
        told = {"type": f"{name}.partial_image", "b64_json": packed, "partial_image_index": index}
        yield beats.named_event(f"{name}.partial_image", {**told, **frame})
    for n in range(int(body.get("n") or 1)):
        packed = base64.b64encode(png(f"{text} {n}")).decode()
        told = {"type": f"{name}.completed", "b64_json": packed, "usage": usage(body, 1)}
        yield beats.named_event(f"{name}.completed", {**told, **frame})


def is_stream(body: dict[str, Any]) -> bool:
    """Tell whether the caller wants events; models billed by the image have none."""
    return forms.flag(body, "stream") and body["model"] == METERED_MODEL
