"""Sounds are measured by their frames, whatever their heads claim."""

import random
import struct
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing import audio_frames, audio_length


def wav(seconds, *, rate=16_000, channels=1, bits=16, coding=1, claimed=None):
    data = bytes(int(seconds * rate) * channels * bits // 8)
    head = struct.pack("<HHIIHH", coding, channels, rate, rate * channels * bits // 8,
                       channels * bits // 8, bits)  # fmt: skip
    size = len(data) if claimed is None else claimed
    whole = struct.pack("<I", min(36 + size, 2**32 - 1))
    return (b"RIFF" + whole + b"WAVEfmt " + struct.pack("<I", len(head))
            + head + b"data" + struct.pack("<I", size) + data)  # fmt: skip


def mp3(frames, *, second=0xFB, third=0x90, fill=b"\0"):
    """Frames of MPEG-1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes, 1,152 samples each."""
    return (bytes((0xFF, second, third, 0)) + fill * 413) * frames


def adts(frames, *, size=64):
    """AAC at 44.1 kHz, 1,024 samples each."""
    head = bytes((0xFF, 0xF1, 0x50, 0x80 | size >> 11, size >> 3 & 255, (size & 7) << 5 | 31, 0xFC))
    return (head + bytes(size - 7)) * frames


def flac(frames, *, rate=44_100):
    """Frames of 4,096 samples at 44.1 kHz, with true checksums."""
    info = struct.pack(">HH", 4096, 4096) + bytes(6)
    info += (rate << 44 | 15 << 36).to_bytes(8, "big") + bytes(16)
    body = b""
    for number in range(frames):
        head = bytes((0xFF, 0xF8, 0xC9, 0x18, number & 0x7F))
        body += head + bytes((audio_frames._crc8(head),)) + b"\xff\xf8\xc9" + bytes(90)
    return b"fLaC\x80\0\0\x22" + info + body


def ogg(packets, *, head=b"OpusHead" + bytes(11), granule=0):
    pages = [_page([head], 0), _page([b"OpusTags" + bytes(8)], 0)]
    pages += [_page(packets[at : at + 50], granule) for at in range(0, len(packets), 50)]
    return b"".join(pages)


def _page(packets, granule):
    lacing = b"".join(b"\xff" * (len(p) // 255) + bytes((len(p) % 255,)) for p in packets)
    return (b"OggS\0\0" + struct.pack("<qIII", granule, 1, 0, 0) + bytes((len(lacing),)) + lacing
            + b"".join(packets))  # fmt: skip


def element(kind, data, *, is_unknown=False):
    size = b"\x01" + b"\xff" * 7 if is_unknown else (len(data) | 1 << 56).to_bytes(8, "big")
    return bytes.fromhex(kind) + size + data


def webm(packets, *, codec=b"A_OPUS", is_unknown=True):
    track = element("ae", element("d7", b"\x01") + element("83", b"\x02") + element("86", codec))
    blocks = b"".join(element("a3", b"\x81\0\0\x80" + packet) for packet in packets)
    inner = element("1654ae6b", track) + element("1f43b675", blocks, is_unknown=is_unknown)
    return element("1a45dfa3", b"") + element("18538067", inner, is_unknown=is_unknown)


def box(kind, data):
    return struct.pack(">I", len(data) + 8) + kind + data


def mp4(frames, *, codec=b"mp4a", rate=44_100, delta=1024, handler=b"soun"):
    entry = bytes(6) + b"\0\1" + bytes(8) + b"\0\2\0\x10" + bytes(4) + struct.pack(">I", rate << 16)
    stsd = bytes(4) + struct.pack(">I", 1) + struct.pack(">I", len(entry) + 8) + codec + entry
    stbl = (box(b"stsd", stsd) + box(b"stts", bytes(4) + struct.pack(">III", 1, frames, delta))
            + box(b"stsz", bytes(4) + struct.pack(">II", 100, frames)))  # fmt: skip
    mdia = (
        box(b"mdhd", bytes(12) + struct.pack(">II", rate, frames * 1024) + bytes(4))
        + box(b"hdlr", bytes(8) + handler + bytes(13))
        + box(b"minf", box(b"stbl", stbl))
    )
    return box(b"ftyp", b"M4A \0\0\0\0") + box(b"moov", box(b"trak", box(b"mdia", mdia)))


TWENTY_MS = bytes((9 << 3,)) + bytes(40)  # Opus, SILK wideband, one frame of 20 ms
TAG = b"ID3\4\0\0\0\0\x07\x76" + b"\xff\xfb\x90\0" * 254 + bytes(6)
KNOWN = {
    "wav": (wav(3), 3_000),
    "stereo": (wav(2, rate=48_000, channels=2), 2_000),
    "mu-law": (wav(2, rate=8_000, bits=8, coding=7), 2_000),
    "float": (wav(1, bits=32, coding=3), 1_000),
    "mp3": (mp3(1_000), 26_123),
    "mp3 with a tag": (TAG + mp3(100), 2_613),
    "mp3 at 22 kHz": (mp3(1, second=0xF3, third=0x90)[:261] * 100, 2_613),
    "aac": (adts(1_000), 23_220),
    "flac": (flac(100), 9_288),
    "opus in ogg": (ogg([TWENTY_MS] * 200), 4_000),
    "vorbis in ogg": (
        ogg([b"\0" * 30] * 100, head=b"\x01vorbis" + bytes(5) + struct.pack("<I", 44_100)
            + bytes(12) + b"\xb8\1"), 2_369,
    ),
    "opus in webm": (webm([TWENTY_MS] * 100), 2_000),
    "opus in webm of known sizes": (webm([TWENTY_MS] * 100, is_unknown=False), 2_000),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_frames_are_counted(name):
    data, ms = KNOWN[name]
    found = audio_length.of(data)
    assert ms <= found.ms <= ms + 20
    assert found.ms_max == found.ms


def test_mp4_is_timed_by_its_tables_and_bounded_by_its_frames():
    found = audio_length.of(mp4(1_000))
    assert found.ms == 23_220
    assert found.ms_max == 144_000


def test_a_short_claim_bounds_nothing():
    assert audio_length.of(wav(3, claimed=100)).ms == 3_000
    assert audio_length.of(wav(3, claimed=2**32 - 1)).ms == 3_000
    assert audio_length.of(ogg([TWENTY_MS] * 200, granule=1)).ms >= 4_000
    lying = audio_length.of(mp4(1_000, delta=1))
    assert lying.ms == 23_220
    assert audio_length.of(mp4(1_000, delta=1, rate=65_000)).ms_max == 144_000


def test_bytes_between_frames_count_as_the_thinnest_sound():
    found = audio_length.of(mp3(10) + bytes(50_000) + mp3(10))
    assert found.ms >= 50_000
    chopped = mp3(1)[:-1] + b"\0"
    assert audio_length.of(chopped * 50).ms >= 1_300


def test_frames_in_a_bad_head_are_no_frames():
    """The checksum tells chance from frames: sync codes inside sound are not counted."""
    noise = random.Random(1).randbytes(1 << 20)
    assert audio_length.of(flac(10) + noise).ms < 1_200


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"no sound at all",
        wav(0),
        wav(3, coding=0x55),
        b"RIFF\0\0\0\0WAVE",
        b"OggS" + bytes(40),
        ogg([b"x"] * 10, head=b"\x7fFLAC" + bytes(20)),
        webm([TWENTY_MS], codec=b"A_VORBIS"),
        mp4(10, codec=b"ac-3"),
        mp4(10, handler=b"vide"),
        b"\x1a\x45\xdf\xa3",
        b"fLaC" + bytes(60),
    ],
)
def test_of_anything_else_a_byte_is_a_second(data):
    found = audio_length.of(data)
    assert found.ms == len(data)
    assert found.ms_max == len(data) * 1_000


@given(st.binary(max_size=400), st.sampled_from(sorted(KNOWN)), st.integers(0, 300))
def test_no_bytes_break_the_measure(data, name, cut):
    whole = KNOWN[name][0]
    for one in (data, whole[:cut] + data, data[:12] + whole, whole[:4] + data):
        found = audio_length.of(one)
        assert 0 <= found.ms <= found.ms_max


SLOW = {
    "mp3": mp3(1) + b"\xff" * 4_000_000,
    "flac": flac(1) + b"\xff\xf8\xc9\x18" * 1_000_000,
    "ogg": ogg([]) + b"OggS" * 1_000_000,
    "webm": b"\x1a\x45\xdf\xa3\x80" + b"\xec\x80" * 2_000_000,
    "mp4": b"\0\0\0\x08ftyp" + b"\0\0\0\x08moov" * 1_000_000,
}


@pytest.mark.parametrize("name", SLOW)
def test_a_file_made_to_be_slow_is_given_up(name):
    began = time.process_time()
    audio_length.of(SLOW[name])
    assert time.process_time() - began < 5


def test_the_checksum_is_flacs():
    """CRC-8 of polynomial 0x07: the check value of its catalogue."""
    assert audio_frames._crc8(b"123456789") == 0xF4
    assert zlib.crc32(b"123456789") == 0xCBF43926  # and not this one
