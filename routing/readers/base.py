"""What is read from a vendor's native answer while its bytes pass through (pure)."""

import enum
from dataclasses import dataclass
from typing import Protocol

from billing.usage import Usage
from routing.dialects.base import Quirks
from routing.errors import RelayError


class Step(enum.IntEnum):
    """What the relay does with one event."""

    PASS = 0  # send it on
    HOLD = 1  # terminal, or after it: send it when the charge is settled
    SWALLOW = 2  # the caller did not ask for it (a usage chunk)
    FAIL = 3  # the vendor reports an error: reader.error says what


class FinishReason(enum.StrEnum):
    """Why an answer ended, in our own words; the request log knows no others."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    PAUSE = "pause"
    ERROR = "error"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the reader must know of the request."""

    is_stream: bool
    choices: int = 1
    wants_stream_usage: bool = True
    quirks: Quirks


class Reader(Protocol):
    """Reads one answer. Make one for each attempt: `readers.for_surface(surface, expectation)`."""

    usage: Usage | None  # the latest, in disjoint classes; None: none was given
    finish: FinishReason | None
    error: RelayError | None
    is_complete: bool  # the protocol's terminal event was seen (or the whole body read)
    has_output: bool  # some content byte was seen

    def read_event(self, event: bytes) -> Step:
        """Take one whole SSE event (with its blank line); cheap: parses only what billing needs."""
        ...

    def read_body(self, body: bytes) -> None:
        """Take a whole non-streaming 2xx body. Sets `error` when it is none (row 12 of the table)."""
        ...

    def take_text(self) -> str:
        """Return the text, reasoning and tool arguments delivered since the last call."""
        ...
