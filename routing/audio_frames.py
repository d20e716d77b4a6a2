"""Sounds that are a row of frames: wav, MPEG audio, AAC in ADTS, FLAC (pure).

See routing/audio_length.py: no bound here may rest on what a file claims of itself.
"""

import itertools
import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

SECOND_MS: Final = 1_000
# More steps than a file of the body's limit needs: a file made to be slow is of an unknown kind.
STEPS_MAX: Final = 500_000
FLAC_STEPS_MAX: Final = 50_000  # a frame of sound has hundreds of bytes and more

Item = TypeVar("Item")


class TooManySteps(Exception):
    """The file has more pieces than any real one."""


def limited(items: Iterable[Item], steps_max: int = STEPS_MAX) -> Iterator[Item]:
    """Yield the items. Raises: TooManySteps."""
    for step, item in enumerate(items):
        if step == steps_max:
            raise TooManySteps
        yield item


def ceil_ms(samples: int, rate: int) -> int:
    """Return the milliseconds that so many samples last, rounded up."""
    return -(-samples * SECOND_MS // rate)


# WAV: every sample has the same size, so all bytes after the head, whatever it says of their
# number, over the bytes of a second. Other codings than these are not so simple: 0.
_WAV_CODINGS: Final = frozenset({1, 3, 6, 7})  # PCM, float, A-law, mu-law
_WAV_EXTENSIBLE: Final = 0xFFFE


def wav(data: bytes) -> int:
    """Return the milliseconds of a wav file; 0 for a coding that is not counted."""
    position, each = 12, 0
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        position += 8
        if name == b"fmt ":
            coding, channels, rate = struct.unpack_from("<HHI", data, position)
            bits = struct.unpack_from("<H", data, position + 14)[0]
            if coding == _WAV_EXTENSIBLE:
                coding = struct.unpack_from("<H", data, position + 24)[0]
            each = rate * channels * -(-bits // 8) if coding in _WAV_CODINGS else 0
        if name == b"data":
            return ceil_ms(len(data) - position, each) if each else 0
        position += size + size % 2
    return 0


# MPEG audio (layers I to III) and ADTS: every frame tells its own size, and a decoder goes from
# frame to frame. Bytes between frames count as 8 kbit/s, the lowest rate of the tables
# (ISO 11172-3, 13818-3), so nothing plays longer than it is counted.
_LOWEST_BYTES_PER_S: Final = 1_000
_MPEG_RATES: Final = (44_100, 48_000, 32_000)
_KBITS: Final = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
AAC_RATES: Final = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
    8_000, 7_350,
)  # fmt: skip
_Frame = tuple[int, int, int]  # bytes, samples, samples a second


def _mpeg_table() -> dict[bytes, _Frame]:
    """Return every valid second and third byte of a frame's head, and what it means."""
    found: dict[bytes, _Frame] = {}
    for second in range(0xE0, 0x100):
        version, layer = second >> 3 & 3, 4 - (second >> 1 & 3)
        if version == 1 or layer == 4:
            continue
        is_first = version == 3
        samples = 384 if layer == 1 else 1152 if layer == 2 or is_first else 576
        for third in range(0x100):
            kbits, rate = third >> 4, third >> 2 & 3
            if kbits in {0, 15} or rate == 3:
                continue
            hertz = _MPEG_RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
            bits = _KBITS[is_first, layer][kbits - 1] * 1_000
            padding = third >> 1 & 1
            slots = samples // 32 * bits // hertz if layer == 1 else samples // 8 * bits // hertz
            size = (slots + padding) * 4 if layer == 1 else slots + padding
            found[bytes((second, third))] = (size, samples, hertz)
    return found


_MPEG_FRAMES: Final = _mpeg_table()


def _frame(data: bytes, at: int) -> _Frame | None:
    """Read the head of a frame, MPEG's or ADTS's."""
    if data[at : at + 1] != b"\xff":
        return None
    found = _MPEG_FRAMES.get(data[at + 1 : at + 3])
    if found is not None or len(data) < at + 7 or data[at + 1] & 0xF6 != 0xF0:
        return found
    rate = data[at + 2] >> 2 & 15
    size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    if rate >= len(AAC_RATES) or size < 7:
        return None
    return size, 1024 * ((data[at + 6] & 3) + 1), AAC_RATES[rate]


def mpeg(data: bytes) -> int:
    """Return the milliseconds of an mp3 or ADTS file; 0 when it is none."""
    at = _after_id3(data)
    if _frame(data, data.find(b"\xff", at)) is None:
        return 0  # no such file begins otherwise
    samples: Counter[int] = Counter()
    uncounted = 0
    for _ in limited(itertools.count()):
        start = data.find(b"\xff", at)
        if start < 0:
            break
        frame = _frame(data, start)
        after = start + frame[0] if frame else 0
        is_chained = after >= len(data) or _frame(data, after) is not None or start == at
        if frame is None or not is_chained:
            uncounted += start + 1 - at
            at = start + 1
            continue
        samples[frame[2]] += frame[1]
        uncounted += start - at
        at = after
    uncounted += max(0, len(data) - at)
    counted = sum(ceil_ms(count, rate) for rate, count in samples.items())
    return counted + ceil_ms(uncounted, _LOWEST_BYTES_PER_S) if samples else 0


def _after_id3(data: bytes) -> int:
    if data[:3] != b"ID3":
        return 0
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    return size + 10


# FLAC: every frame begins with its sync code and a head that ends in its own checksum; what has
# none is not played. All of them are counted, wherever they stand.
_FLAC_SYNC: Final = re.compile(rb"(?=\xff[\xf8\xf9])")
_FLAC_RATES: Final = (
    0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000,
)  # fmt: skip


def flac(data: bytes) -> int:
    """Return the milliseconds of a FLAC file."""
    own_rate = int.from_bytes(data[18:21], "big") >> 4
    samples: Counter[int] = Counter()
    for match in limited(_FLAC_SYNC.finditer(data, 42), FLAC_STEPS_MAX):
        found = _flac_frame(data[match.start() : match.start() + 16], own_rate)
        if found is not None:
            samples[found[1]] += found[0]
    return sum(ceil_ms(count, rate) for rate, count in samples.items())


def _flac_frame(head: bytes, own_rate: int) -> tuple[int, int] | None:
    """Return samples and rate of a frame; None when this is no frame's head."""
    if len(head) < 6:
        return None
    size, rate = head[2] >> 4, head[2] & 15
    number = _coded_bytes(head[4])
    more = {6: 1, 7: 2}.get(size, 0)
    rest = {12: 1, 13: 2, 14: 2}.get(rate, 0)
    end = 4 + number + more + rest
    if not number or size == 0 or rate == 15 or len(head) <= end or _crc8(head[:end]) != head[end]:
        return None
    samples = (
        int.from_bytes(head[4 + number : 4 + number + more], "big") + 1 if more
        else 192 if size == 1 else 576 << (size - 2) if size < 6 else 256 << (size - 8)
    )  # fmt: skip
    told = int.from_bytes(head[end - rest : end], "big")
    hertz = (
        told * {12: 1_000, 13: 1, 14: 10}[rate] if rest else own_rate if rate == 0
        else _FLAC_RATES[rate]
    )  # fmt: skip
    return (samples, hertz) if hertz else None


def _coded_bytes(first: int) -> int:
    """Return the length of a number coded like UTF-8; 0 when it cannot begin so."""
    ones = 8 - (first ^ 0xFF).bit_length()
    return 1 if ones == 0 else ones if 2 <= ones <= 7 else 0


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 ^ 0x107 if crc & 0x80 else crc << 1
    return crc
