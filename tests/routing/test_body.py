"""Bodies are read into memory, unpacked under limits, and never reach a disk."""

import asyncio
import gzip
import zlib

import pytest
import zstandard

from routing import body
from routing.errors import Code, RelayError

LIMIT = 1 << 20


def receiver(*messages):
    queue = list(messages)

    async def receive():
        return queue.pop(0)

    return receive


def message(data, *, more=False):
    return {"type": "http.request", "body": data, "more_body": more}


def read(*messages, length=None, encoding=None, limit=LIMIT):
    return asyncio.run(
        body.read(receiver(*messages), length=length, encoding=encoding, bytes_max=limit)
    )


def refused(*messages, **options):
    with pytest.raises(RelayError) as caught:
        read(*messages, **options)
    return caught.value.code


def test_joins_the_parts():
    assert read(message(b"ab", more=True), message(b"cd", more=True), message(b"")) == b"abcd"


def test_refuses_a_declared_length_before_reading_a_byte():
    assert refused(length=str(LIMIT + 1)) is Code.BODY_TOO_LARGE


def test_refuses_the_part_that_goes_over_the_limit():
    parts = [message(b"x" * (LIMIT // 2), more=True)] * 3
    assert refused(*parts) is Code.BODY_TOO_LARGE


def test_a_client_that_leaves_is_no_error_of_ours():
    with pytest.raises(body.ClientGone):
        read(message(b"a", more=True), {"type": "http.disconnect"})


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)]
)
def test_unpacks(encoding, pack):
    data = b'{"model":"m"}' * 1000
    assert read(message(pack(data)), encoding=encoding) == data


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)]
)
def test_stops_unpacking_a_bomb_at_the_limit(encoding, pack):
    bomb = pack(bytes(64 << 20))
    assert len(bomb) < 100_000
    assert refused(message(bomb), encoding=encoding) is Code.BODY_TOO_LARGE


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_refuses_what_is_not_of_its_encoding(encoding):
    assert refused(message(b"plain"), encoding=encoding) is Code.INVALID_VALUE


def test_refuses_a_cut_gzip():
    assert refused(message(gzip.compress(b"x" * 999)[:-4]), encoding="gzip") is Code.INVALID_VALUE


def test_refuses_encodings_that_nobody_needs():
    assert refused(message(zlib.compress(b"x")), encoding="deflate") is Code.UNSUPPORTED_ENCODING


def test_refuses_a_zstd_window_that_would_fill_the_memory():
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    packer = zstandard.ZstdCompressor(compression_params=parameters)
    chunk = packer.compressobj()
    data = chunk.compress(b"x" * 100) + chunk.flush()
    assert refused(message(data), encoding="zstd") is Code.INVALID_VALUE
