"""Sounds: speech is a tone as long as the text would take, a transcript says that it is none.

The tone is a WAV file whatever format was asked for, but for `pcm`: no encoder is at hand.
"""

import base64
import io
import math
import struct
import wave
from collections.abc import Iterator
from typing import Any

from bananarouter.demo_vendor import answers, beats, forms, tokens

RATE = 24_000
CHARACTERS_PER_S = 15
SECONDS_MAX = 60
TOKENS_PER_MINUTE = 1_250  # as OpenAI's gpt-4o-mini-tts writes and gpt-4o-transcribe reads
BYTES_PER_S = 4_000  # of a file that is no WAV: 32 kbit/s
PIECES = 4
HOUR_MODEL = "demo-ears"


def tone(text: str) -> bytes:
    """Return 16-bit samples: a tone whose height depends on the text."""
    count = RATE * min(max(len(text), 1), CHARACTERS_PER_S * SECONDS_MAX) // CHARACTERS_PER_S
    period = RATE // (220 + len(text) % 220)
    cycle = struct.pack(
        f"<{period}h", *(int(8_000 * math.sin(2 * math.pi * n / period)) for n in range(period))
    )
    return (cycle * (count // period + 1))[: count * 2]


def speech(body: dict[str, Any]) -> tuple[bytes, str]:
    """Return a whole sound and its content type."""
    samples = tone(body["input"])
    if body.get("response_format") == "pcm":
        return samples, "audio/pcm"
    packed = io.BytesIO()
    with wave.open(packed, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples)
    return packed.getvalue(), "audio/wav"


def speech_events(body: dict[str, Any]) -> Iterator[beats.Beat]:
    """Yield a sound in pieces, then its usage."""
    sound, _ = speech(body)
    size = len(sound) // PIECES + 1
    for at in range(0, len(sound), size):
        packed = base64.b64encode(sound[at : at + size]).decode()
        yield beats.data_event({"type": "speech.audio.delta", "audio": packed})
    read = tokens.count(body["input"])
    written = len(tone(body["input"])) // 2 * TOKENS_PER_MINUTE // (60 * RATE)
    told = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
    yield beats.data_event({"type": "speech.audio.done", "usage": told})


def seconds_of(sound: bytes) -> float:
    """Return how long a file is."""
    try:
        with wave.open(io.BytesIO(sound)) as file:
            return float(file.getnframes() / file.getframerate())
    except (wave.Error, EOFError, ZeroDivisionError):
        return len(sound) / BYTES_PER_S


def transcript(body: dict[str, Any]) -> str:
    """Return the text of every transcript."""
    return f"{answers.LABEL} {seconds_of(body['file']):.1f} seconds came in; nobody listened."


def usage(body: dict[str, Any]) -> dict[str, Any]:
    """Return the usage: of one model by its duration, else tokens."""
    seconds = seconds_of(body["file"])
    if body["model"] == HOUR_MODEL:
        return {"type": "duration", "seconds": math.ceil(seconds)}
    heard, text = math.ceil(seconds * TOKENS_PER_MINUTE / 60), tokens.count(body.get("prompt", ""))
    written = tokens.count(transcript(body))
    return {
        "type": "tokens",
        "input_tokens": heard + text,
        "input_token_details": {"text_tokens": text, "audio_tokens": heard},
        "output_tokens": written,
        "total_tokens": heard + text + written,
    }


def written(body: dict[str, Any]) -> tuple[bytes, str]:
    """Return a whole transcript in the form asked for, and its content type."""
    text, seconds, form = transcript(body), seconds_of(body["file"]), body.get("response_format")
    if form == "text":
        return f"{text}\n".encode(), "text/plain; charset=utf-8"
    if form in {"srt", "vtt"}:
        comma, head = (",", "1\n") if form == "srt" else (".", "WEBVTT\n\n")
        whole, part = divmod(math.ceil(seconds * 1_000), 1_000)
        end = f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{comma}{part:03}"
        return (f"{head}00:00:00{comma}000 --> {end}\n{text}\n\n").encode(), "text/plain"
    found: dict[str, Any] = {"text": text, "usage": usage(body)}
    if form in {"verbose_json", "diarized_json"}:
        segment = {"id": 0, "start": 0.0, "end": seconds, "text": text, "speaker": "A"}
        found |= {"task": "transcribe", "language": "english", "duration": seconds}
        found["segments"] = [segment]
    return beats.compact(found).encode(), "application/json"


def transcript_events(body: dict[str, Any]) -> Iterator[beats.Beat]:
    """Yield a transcript in pieces, then whole with its usage."""
    for piece in tokens.pieces(transcript(body)):
        yield beats.data_event({"type": "transcript.text.delta", "delta": piece})
    done = {"type": "transcript.text.done", "text": transcript(body), "usage": usage(body)}
    yield beats.data_event(done)


def is_stream(body: dict[str, Any]) -> bool:
    """Tell whether the caller wants events; as Whisper, one model ignores it."""
    return forms.flag(body, "stream") and body["model"] != HOUR_MODEL
