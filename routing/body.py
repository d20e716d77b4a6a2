"""Reading a request's body into memory, never to disk, under limits of size.

Slow senders are the server's to end (bananarouter/http1.py).
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import zstandard

from routing.errors import Code, RelayError

STEP_BYTES = 64 << 10
ZSTD_WINDOW_BYTES_MAX = 8 << 20  # RFC 9659: decoders need not take more

Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class ClientGone(Exception):
    """The client left before its request was whole."""


async def read(
    receive: Receive, *, length: str | None, encoding: str | None, bytes_max: int
) -> bytes:
    """Read and, where it is compressed, unpack a body.

    Raises: RelayError (413, 415, 400), ClientGone.
    """
    if length is not None and length.isdigit() and int(length) > bytes_max:
        raise _too_large(bytes_max)
    raw = await _receive(receive, bytes_max)
    match (encoding or "identity").strip().lower():
        case "identity" | "":
            return raw
        case "gzip":
            return await asyncio.to_thread(_gunzip, raw, bytes_max)
        case "zstd":
            return await asyncio.to_thread(_unzstd, raw, bytes_max)
        case _:
            raise RelayError(
                code=Code.UNSUPPORTED_ENCODING,
                message="This Content-Encoding is not supported: send the body plain, "
                "as gzip or as zstd.",
            )


async def _receive(receive: Receive, bytes_max: int) -> bytes:
    message = await _next(receive)
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > bytes_max:
            raise _too_large(bytes_max)
        return body
    parts, size = [body], len(body)
    while message.get("more_body", False):
        message = await _next(receive)
        part = message.get("body", b"")
        size += len(part)
        if size > bytes_max:
            raise _too_large(bytes_max)
        parts.append(part)
    return b"".join(parts)


async def _next(receive: Receive) -> Mapping[str, Any]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


def _gunzip(raw: bytes, bytes_max: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    parts: list[bytes] = []
    size, data = 0, raw
    try:
        while data and not unpacker.eof:
            part = unpacker.decompress(data, STEP_BYTES)
            size += len(part)
            if size > bytes_max:
                raise _too_large(bytes_max)
            parts.append(part)
            data = unpacker.unconsumed_tail
    except zlib.error as error:
        raise _broken("gzip") from error
    if not unpacker.eof or unpacker.unused_data:
        raise _broken("gzip")
    return b"".join(parts)


def _unzstd(raw: bytes, bytes_max: int) -> bytes:
    unpacker = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES_MAX)
    parts: list[bytes] = []
    size = 0
    try:
        with unpacker.stream_reader(raw, read_across_frames=False) as reader:
            while part := reader.read(STEP_BYTES):
                size += len(part)
                if size > bytes_max:
                    raise _too_large(bytes_max)
                parts.append(part)
    except zstandard.ZstdError as error:
        raise _broken("zstd") from error
    return b"".join(parts)


def _too_large(bytes_max: int) -> RelayError:
    return RelayError(
        code=Code.BODY_TOO_LARGE,
        message=f"The request body is over the limit of {bytes_max} bytes: send less, "
        "or refer to large media by URL.",
    )


def _broken(encoding: str) -> RelayError:
    return RelayError(code=Code.INVALID_VALUE, message=f"The request body is not valid {encoding}.")
