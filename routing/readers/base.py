"""What is read from a vendor's native answer while its bytes pass through (pure)."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from billing.usage import UnitClass, Usage
from routing.conversation import FinishReason
from routing.dialects.base import Quirks
from routing.errors import RelayError


class Step(enum.IntEnum):
    """What the relay does with one event."""

    PASS = 0  # send it on
    HOLD = 1  # terminal, or after it: send it when the charge is settled
    SWALLOW = 2  # the caller did not ask for it (a usage chunk)
    FAIL = 3  # the vendor reports an error: reader.error says what


class Flag(enum.StrEnum):
    """Something odd in an answer: counted for operators, never shown to the caller."""

    OVERLAP = "overlap"  # parts of the tokens are more than the whole: clamped
    OUTSIDE = "outside"  # the totals contradict the endpoint's rule: the totals were followed
    BAD_NUMBER = "bad_number"  # negative, fractional, huge or no number: clamped
    TOTAL = "total"  # the vendor's total is not the sum of its parts
    ZERO = "zero"  # output, and a usage of zero
    UNKNOWN_TIER = "unknown_tier"  # priced as standard
    UNKNOWN_FINISH = "unknown_finish"
    LATE_ERROR = "late_error"  # an error after the finish: the answer was complete
    UNPRICED = "unpriced"  # a class or tier without a rate: priced like its side
    OVER_HOLD = "over_hold"  # the cost was cut down to the hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the reader must know of the request."""

    is_stream: bool
    choices: int = 1
    wants_stream_usage: bool = True
    # Cited pages mean a search that is billed: only where the caller asked for the tool.
    may_search: bool = True
    # What the request told of its work in other measures, for answers that tell nothing.
    measures: Mapping[UnitClass, int] = field(default_factory=dict)
    answer_format: str = "json"
    quirks: Quirks


class Reader(Protocol):
    """Reads one answer. Make one for each attempt: `readers.for_surface(surface, expectation)`.

    A relay calls `read_event` for each event (and for what is left of a cut one at the end), then
    `end`; or `read_body` once. Money follows `finish`: what it saw before an error is complete,
    so `error` is only set when no finish came first.
    """

    error: RelayError | None
    is_complete: bool  # the protocol's terminal event was seen (or the whole body read)
    has_output: bool  # some content was seen; comments, pings and role-only chunks are none
    flags: set[Flag]
    event_bytes_max: ClassVar[int]  # the largest event of its streams

    @property
    def estimate(self) -> Usage | None:
        """What can be said of an answer whose usage does not say it; None: its text alone."""
        ...

    @property
    def usage(self) -> Usage | None:
        """The latest, in disjoint classes; None: none was given."""
        ...

    @property
    def is_usage_final(self) -> bool:
        """Whether `usage` is of the whole answer, not of its beginning."""
        ...

    @property
    def finish(self) -> FinishReason | None:
        """Why the answer ended; None: it did not, or failed."""
        ...

    def read_event(self, event: bytes) -> Step:
        """Take one whole SSE event (with its blank line); cheap: parses only what billing needs."""
        ...

    def read_body(self, body: bytes) -> None:
        """Take a whole non-streaming 2xx body. Sets `error` when it is none (row 12 of C5)."""
        ...

    def end(self) -> None:
        """Take the end of the stream: `is_complete` says then whether the answer was whole."""
        ...

    def take_text(self) -> str:
        """Return the text, reasoning and tool arguments delivered since the last call."""
        ...
