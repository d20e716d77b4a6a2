"""Reads speech, which is sound, and transcripts, which are text of several forms (pure)."""

import math
from collections.abc import Iterator
from typing import Any

import orjson

from billing.usage import UnitClass, Usage
from routing import audio_length
from routing.readers import counts
from routing.readers.answer import mapping, word
from routing.readers.base import Expectation
from routing.readers.media import MediaReader

# OpenAI's price for a minute of gpt-4o-mini-tts over its price for a token [mem, 2026-11].
SPOKEN_TOKENS_PER_MINUTE = 1_250
MINUTE_MS = 60_000
PCM_BYTES_PER_MS = 48  # 24 kHz, 16 bits, mono (OpenAI's text-to-speech guide, 2026-11)
# gpt-4o-transcribe's price for a minute over that for a token [mem, 2026-11].
HEARD_TOKENS_PER_MINUTE = 1_000
SECONDS_MAX = 10_000_000
JSON_FORMATS = frozenset({"json", "verbose_json", "diarized_json"})


class SpeechReader(MediaReader):
    """Reads sound: a whole file, or events with pieces of one."""

    __slots__ = ("_sound",)

    def __init__(self, expectation: Expectation) -> None:
        super().__init__(expectation)
        self._sound = b""

    @property
    def estimate(self) -> Usage | None:
        """The characters of the request; tokens by the length of the sound, which tells no more."""
        tokens = self._spoken_ms() * SPOKEN_TOKENS_PER_MINUTE // MINUTE_MS
        return Usage(
            quantities={UnitClass.AUDIO_OUTPUT: tokens} if tokens else {},
            measures=self.expectation.measures,
            is_estimated=True,
        )

    def read_body(self, body: bytes) -> None:
        """Take a whole sound; JSON is none, but may be an error."""
        if body[:1] == b"{" and _is_object(body):
            self._fail(body)
        elif self._take_body(body):
            self._sound = body

    def _spoken_ms(self) -> int:
        if not self._sound:
            return 0
        if self.expectation.answer_format == "pcm":
            return len(self._sound) // PCM_BYTES_PER_MS
        return audio_length.of(self._sound).ms

    def _measures(self) -> dict[UnitClass, int]:
        return dict(self.expectation.measures) if self._is_over else {}

    def _quantities(self, told: counts.Numbers) -> counts.Quantities:
        return {
            UnitClass.INPUT: told.count("input_tokens"),
            UnitClass.AUDIO_OUTPUT: told.count("output_tokens"),
        }


class TranscriptReader(MediaReader):
    """Reads a transcript: JSON, plain text, subtitles, or events with pieces of text."""

    __slots__ = ("_milliseconds", "_plain")

    def __init__(self, expectation: Expectation) -> None:
        super().__init__(expectation)
        self._milliseconds: int | None = None  # as the vendor tells them
        self._plain = ""

    @property
    def estimate(self) -> Usage | None:
        """The length of the sound that was sent, by our own measure; the text counts itself."""
        heard = self.expectation.measures.get(UnitClass.AUDIO_DURATION, 0)
        return Usage(
            quantities={UnitClass.AUDIO_INPUT: -(-heard * HEARD_TOKENS_PER_MINUTE // MINUTE_MS)},
            measures=self.expectation.measures,
            is_estimated=True,
        )

    def read_body(self, body: bytes) -> None:
        """Take a whole transcript, in the form that was asked for."""
        is_plain = self.expectation.answer_format not in JSON_FORMATS
        if is_plain and not _is_object(body):
            if self._take_body(body or b" "):  # silence has no text
                self._plain = body.decode(errors="replace")
            return
        super().read_body(body)

    def take_text(self) -> str:
        """Return what was delivered since the last call."""
        plain, self._plain = self._plain, ""
        return plain + super().take_text()

    def _is_error(self, document: dict[str, Any]) -> bool:
        return bool(document.get("error")) or ("type" not in document and "text" not in document)

    def _tell(self, document: dict[str, Any]) -> None:
        super()._tell(document)
        told = mapping(document.get("usage"))
        seconds = told.get("seconds", told.get("prompt_audio_seconds", document.get("duration")))
        if seconds is not None:
            self._milliseconds = self._clean(seconds)
        if self._milliseconds is not None:
            self._told = [{**told, "seconds": -(-self._milliseconds // 1_000)}]

    def _clean(self, seconds: Any) -> int | None:
        """Return milliseconds, rounded up; None for what is no duration."""
        if isinstance(seconds, str):  # Whisper's verbose_json has had texts here
            seconds = float(seconds) if seconds.replace(".", "", 1).isdigit() else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            return None
        if not 0 <= seconds <= SECONDS_MAX:
            return None
        return math.ceil(round(seconds * 1_000, 3))

    def _measures(self) -> dict[UnitClass, int]:
        told = self._milliseconds
        return {} if told is None else {UnitClass.AUDIO_DURATION: told}

    def _quantities(self, told: counts.Numbers) -> counts.Quantities:
        inside = told.inner("input_token_details", "input_tokens_details", "prompt_tokens_details")
        return {
            **counts.share(
                told.count("input_tokens", "prompt_tokens"),
                {UnitClass.AUDIO_INPUT: inside.count("audio_tokens")},
                rest=UnitClass.INPUT,
                flags=self.flags,
            ),
            UnitClass.OUTPUT: told.count("output_tokens", "completion_tokens"),
        }

    def _keep(self, event: bytes) -> None:
        super(MediaReader, self)._keep(event)

    def _text_of(self, document: Any) -> Iterator[str]:
        found = mapping(document)
        # The last event repeats the whole text.
        if found.get("type") != "transcript.text.done":
            yield word(found.get("text")) or word(found.get("delta"))


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(orjson.loads(body), dict)
    except orjson.JSONDecodeError:
        return False
