"""How long a sound is, from its own frames (pure).

Vendors that bill by the minute tell the length afterwards, and not in every format of answer; the
hold needs it before. So the frames that a decoder would play are counted here. What headers claim
(a tag, a duration) is never trusted to be short, for a caller could write it: each format's rule
below says why its bound holds. A file of another kind is held for as if a byte were a second.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from routing import audio_frames
from routing.audio_frames import AAC_RATES, TooManySteps, ceil_ms, limited


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """Milliseconds: the best measure, and what it cannot exceed."""

    ms: int
    ms_max: int


# Unknown kinds: no coding of speech takes a byte for a second (the thinnest here, a silent FLAC
# frame of 65,535 samples at 8 kHz, is 12 bytes for 8 s); what the vendor does not tell of them
# is billed as 8 kbit/s.
UNKNOWN_BYTE_MS_MAX: Final = 1_000


def of(data: bytes) -> Length:
    """Measure wav, flac, mp3, aac, ogg, webm, mp4 or m4a; the worst is assumed of the rest."""
    try:
        found = _mp4(data) if data[4:8] == b"ftyp" else _exactly(_measured(data))
    except (struct.error, LookupError, ZeroDivisionError, TooManySteps):  # nonsense, or cut off
        found = _exactly(0)
    if found.ms:
        return found
    return Length(ms=len(data), ms_max=len(data) * UNKNOWN_BYTE_MS_MAX)


def _exactly(ms: int) -> Length:
    return Length(ms=ms, ms_max=ms)


def _measured(data: bytes) -> int:
    if data[:4] in {b"RIFF", b"RF64"} and data[8:12] == b"WAVE":
        return audio_frames.wav(data)
    if data[:4] == b"fLaC":
        return audio_frames.flac(data)
    if data[:4] == b"OggS":
        return _ogg(data)
    if data[:4] == b"\x1a\x45\xdf\xa3":
        return _webm(data)
    return audio_frames.mpeg(data)


# Ogg: all packets of all pages. Opus tells a packet's time in its first bytes (RFC 6716 3.1); a
# Vorbis packet plays half a long block at most. Other codecs are not counted: 0.
_OPUS_TICKS: Final = (4, 8, 16, 24)  # of 2.5 ms, for the lower configurations


def _opus_ticks(packet: bytes) -> int:
    """Return the time of a packet in units of 2.5 ms, at most 120 ms."""
    if not packet:
        return 0
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        each = _OPUS_TICKS[config & 3]
    else:
        each = 4 << (config & 1) if config < 16 else 1 << (config & 3)
    count = (1, 2, 2, packet[1] & 0x3F if len(packet) > 1 else 0)[code]
    return min(each * count, 48)


def _ogg(data: bytes) -> int:
    head = data[28 : 28 + 30]
    if head.startswith(b"OpusHead"):
        ticks = sum(
            _opus_ticks(packet)
            for packet in limited(_ogg_packets(data))
            if packet != b"Op"  # the two heads: no frame begins so
        )
        return -(-ticks * 5 // 2)
    if head.startswith(b"\x01vorbis"):
        rate, half = int.from_bytes(head[12:16], "little"), 1 << (head[28] >> 4) - 1
        return ceil_ms(sum(1 for _ in limited(_ogg_packets(data))) * half, rate)
    return 0


def _ogg_packets(data: bytes) -> Iterator[bytes]:
    """Yield the first two bytes of every packet."""
    page = 0
    while (page := data.find(b"OggS", page)) >= 0 and page + 27 <= len(data):
        lacing = data[page + 27 : page + 27 + data[page + 26]]
        at = page + 27 + len(lacing)
        begins = not data[page + 5] & 1  # else its first packet began on the page before
        for size in lacing:
            if begins:
                yield data[at : at + min(size, 2)]
            at += size
            begins = size < 255
        page = max(at, page + 4)


# WebM: the blocks of its Opus track, each one packet, or several: then 120 ms for each.
_EBML_INNER: Final = frozenset({0x18538067, 0x1F43B675, 0xA0, 0x1654AE6B, 0xAE})
_EBML_TRACK_NUMBER, _EBML_CODEC, _EBML_BLOCKS = 0xD7, 0x86, frozenset({0xA1, 0xA3})


def _webm(data: bytes) -> int:
    number, opus, ticks = 0, None, 0
    for kind, start, end in limited(_ebml(data)):
        if kind == _EBML_TRACK_NUMBER:
            number = int.from_bytes(data[start:end], "big")
        elif kind == _EBML_CODEC and data[start : start + 2] == b"A_":
            if opus is not None or data[start:end].rstrip(b"\0") != b"A_OPUS":
                return 0
            opus = number
        elif kind in _EBML_BLOCKS:
            track, width = _ebml_number(data, start, is_id=False)
            lacing = data[start + width + 2] & 6
            if track == opus:
                body = data[start + width + 3 : start + width + 5]
                ticks += 48 * (body[0] + 1) if lacing else _opus_ticks(body)
    return -(-ticks * 5 // 2)


def _ebml(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield kind, start and end of every element; those that hold others are entered."""
    at = 0
    while at < len(data):
        kind, width = _ebml_number(data, at, is_id=True)
        size, more = _ebml_number(data, at + width, is_id=False)
        start = at + width + more
        is_unknown = size == (1 << 7 * more) - 1
        yield kind, start, min(start + size, len(data))
        at = start if kind in _EBML_INNER else len(data) if is_unknown else start + size


def _ebml_number(data: bytes, at: int, *, is_id: bool) -> tuple[int, int]:
    width = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + width], "big")
    return (value if is_id else value & (1 << 7 * width) - 1), width


# MP4: a decoder plays the samples of the tables, each a frame of a codec with a longest frame.
# The times in the tables are the better measure, but the caller's word.
_MP4_INNER: Final = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"})
_MP4_FRAME_MS: Final = {
    b"mp4a": 144,  # AAC's 1,024 samples at 7,350 Hz are 139.4 ms, MP3's 1,152 at 8,000 Hz 144
    b".mp3": 144,
    b"alac": 512,  # 4,096 samples at 8,000 Hz
    b"Opus": 120,
}


class _Tables:
    """What the boxes of a file tell, added up over its tracks of sound."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.frames = self.timed_ms = self.frame_ms = self.rate = 0
        self.scale, self.is_sound = 1, False

    def number(self, at: int) -> int:
        return int(struct.unpack_from(">I", self.data, at)[0])

    def read(self, kind: bytes, start: int, end: int) -> None:
        """Take one box. Raises: KeyError for a codec that is not counted."""
        if kind == b"hdlr":
            self.is_sound = self.data[start + 8 : start + 12] == b"soun"
        elif kind == b"mdhd":
            self.scale = self.number(start + (20 if self.data[start] else 12))
        elif kind == b"trun":
            self.frames += self.number(start + 4)
        elif self.is_sound:
            self.read_sound(kind, start, end)

    def read_sound(self, kind: bytes, start: int, end: int) -> None:
        if kind == b"stsd":
            codec = self.data[start + 12 : start + 16]
            self.frame_ms = max(self.frame_ms, _MP4_FRAME_MS[codec])
            self.rate = self.number(start + 40) >> 16
        elif kind == b"stts":
            self.timed_ms += _mp4_time(self.data[start:end], self.scale)
        elif kind in {b"stsz", b"stz2"}:
            self.frames += self.number(start + 8)


def _mp4(data: bytes) -> Length:
    tables = _Tables(data)
    for kind, start, end in limited(_boxes(data)):
        tables.read(kind, start, end)
    ms_max = tables.frames * tables.frame_ms
    framed_ms = ceil_ms(tables.frames * 1024, tables.rate or AAC_RATES[3])
    return Length(ms=min(ms_max, max(tables.timed_ms, framed_ms)), ms_max=ms_max)


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of every box; those that hold others are entered."""
    at = 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        head = 16 if size == 1 else 8
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        end = len(data) if size == 0 else min(at + max(size, head), len(data))
        yield kind, at + head, end
        at = at + head if kind in _MP4_INNER else end


def _mp4_time(table: bytes, scale: int) -> int:
    pairs = struct.iter_unpack(">II", table[8 : len(table) - len(table) % 8])
    return ceil_ms(sum(count * delta for count, delta in pairs), scale)
