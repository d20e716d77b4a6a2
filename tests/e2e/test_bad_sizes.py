"""Bodies that are too large, declared, chunked or packed: refused early, small in memory."""

import gzip
import os
import time
import zlib
from pathlib import Path

import pytest
import zstandard

from tests.e2e import refusals
from tests.e2e.refusals import (
    BODY_BYTES_MAX,
    WORD,
    bytes_of,
    dump,
    known,
    refused,
    same_envelope,
    talk,
)
from tests.e2e.serving import ALL, CHAT, GENERATIONS

pytestmark = pytest.mark.alone
each = pytest.mark.parametrize("protocol", ALL, ids=[p.name for p in ALL])
generations = pytest.mark.parametrize("protocol", GENERATIONS, ids=[p.name for p in GENERATIONS])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with refusals.place(tmp_path_factory.mktemp("bad")) as place:
        yield place


class TestSizes:
    @each
    def test_a_declared_length_over_the_limit_is_refused_unread(self, place, protocol):
        path, _ = known(protocol)
        head = bytes_of(place, protocol, path, **{"content-length": BODY_BYTES_MAX + 1})
        answer = talk(place, head)  # not one byte of the body
        refused(place, protocol, answer, 413, "body_too_large")

    @each
    def test_a_chunked_body_over_the_limit_is_refused(self, place, protocol):
        path, _ = known(protocol)
        head = bytes_of(place, protocol, path, **{"transfer-encoding": "chunked"})
        chunk = b"40000\r\n" + b" " * 0x40000 + b"\r\n"
        answer = talk(place, head + chunk * (BODY_BYTES_MAX // 0x40000 + 1))
        refused(place, protocol, answer, 413, "body_too_large")

    def test_a_body_of_the_limit_is_read(self, place):
        path, body = known(CHAT)
        body["model"] = "none"
        raw = dump(body)
        padded = raw[:-1] + b" " * (BODY_BYTES_MAX - len(raw)) + b"}"
        assert place.send(CHAT, path, padded).status == 404
        assert place.send(CHAT, path, padded + b" ").status == 413

    @generations
    @pytest.mark.parametrize("coding", ["gzip", "zstd"])
    def test_a_bomb_is_refused_and_small_in_memory(self, place, protocol, coding):
        path, _ = known(protocol)
        bomb = bombs()[coding]
        assert len(bomb) < BODY_BYTES_MAX
        worker = place.gateway.workers()[0]
        Path(f"/proc/{worker}/clear_refs").write_text("5")  # the peak begins anew
        before = peak_kib(worker)
        began = time.monotonic()
        answer = place.send(protocol, path, bomb, headers={"content-encoding": coding})
        assert time.monotonic() - began < 1.5
        refused(place, protocol, answer, 413, "body_too_large")
        # The cap, a copy of it while its pieces are joined, and what the allocator keeps.
        assert peak_kib(worker) - before < 4 * BODY_BYTES_MAX >> 10

    def test_a_bomb_in_a_bomb_is_no_json(self, place):
        path, _ = known(CHAT)
        answer = place.send(
            CHAT, path, gzip.compress(bombs()["gzip"][:1_000]), headers={"content-encoding": "gzip"}
        )
        refused(place, CHAT, answer, 400, "invalid_utf8")  # gzip bytes are none

    @pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "compress", WORD])
    def test_another_encoding_is_refused(self, place, coding):
        path, body = known(CHAT)
        answer = place.send(CHAT, path, dump(body), headers={"content-encoding": coding})
        refused(place, CHAT, answer, 415, "unsupported_encoding")

    @pytest.mark.parametrize(
        ("coding", "raw"),
        [
            ("gzip", b"no gzip"), ("gzip", gzip.compress(b"{}" * 99, mtime=0)[:-9]),
            ("gzip", gzip.compress(b"{}", mtime=0) + b"tail"),
            ("zstd", b"no zstd"), ("zstd", zstandard.compress(b"{}" * 99)[:-3]),
        ],
    )  # fmt: skip
    def test_a_broken_encoding_is_refused(self, place, coding, raw):
        path, _ = known(CHAT)
        answer = place.send(CHAT, path, raw, headers={"content-encoding": coding})
        assert answer.status == 400
        same_envelope(answer, CHAT)

    def test_a_zstd_window_over_the_limit_is_refused(self, place):
        path, _ = known(CHAT)
        parameters = zstandard.ZstdCompressionParameters(window_log=27)
        packed = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        raw = packed.compress(b'{"a":"' + os.urandom(1 << 20).hex().encode() + b'"}')
        raw += packed.flush()
        answer = place.send(CHAT, path, raw, headers={"content-encoding": "zstd"})
        assert answer.status == 400
        same_envelope(answer, CHAT)


_bombs = {}


def bombs():
    """Return 512 MiB of zeros, packed to less than the limit."""
    if not _bombs:
        packer, zeros = zlib.compressobj(1, wbits=31), bytes(1 << 24)
        _bombs["gzip"] = b"".join(packer.compress(zeros) for _ in range(32)) + packer.flush()
        packer = zstandard.ZstdCompressor(level=3).compressobj()
        _bombs["zstd"] = b"".join(packer.compress(zeros) for _ in range(32)) + packer.flush()
    return _bombs


def peak_kib(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM"))
