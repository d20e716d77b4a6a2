"""What the readers of all wire formats have in common (pure)."""

import abc
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import orjson

from billing.usage import Usage
from routing import errors, sse
from routing.conversation import FinishReason
from routing.errors import RelayError
from routing.readers.base import Expectation, Flag, Step
from routing.surfaces import Family

# Events passed on are kept for `take_text` unparsed, up to this size; then their text alone.
KEPT_BYTES_MAX = 16 * 1024
# More text than any model writes in one answer: beyond it, no more is counted as delivered.
TEXT_CHARS_MAX = 8 * 1024 * 1024


class AnswerReader(abc.ABC):
    """Keeps what an answer told; a wire format says how to read one JSON document of it."""

    __slots__ = (
        "_body",
        "_finish",
        "_is_over",
        "_kept",
        "_kept_bytes",
        "_text",
        "_text_chars",
        "_usage",
        "error",
        "expectation",
        "flags",
        "has_output",
        "is_complete",
    )
    family: ClassVar[Family]
    event_bytes_max: ClassVar[int] = sse.EVENT_BYTES_MAX

    def __init__(self, expectation: Expectation) -> None:
        self.expectation = expectation
        self.error: RelayError | None = None
        self.is_complete = False
        self.has_output = False
        self.flags: set[Flag] = set()
        self._is_over = False  # every choice has finished: what comes after is held
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._body = b""
        self._text: list[str] = []
        self._text_chars = 0

    @property
    def usage(self) -> Usage | None:
        """The latest usage in disjoint classes."""
        if self._usage is None:
            self._usage = self._count()
        return self._usage

    @property
    def estimate(self) -> Usage | None:
        """Of text, its tokens say enough."""
        return None

    @property
    def is_usage_final(self) -> bool:
        """Whether `usage` is of the whole answer."""
        return (self._is_over or self.is_complete) and self.usage is not None

    @property
    def finish(self) -> FinishReason | None:
        """Why the answer ended."""
        return self._finish

    def read_event(self, event: bytes) -> Step:
        """Take one event of the stream; after an error nothing more is read."""
        if self.error is not None:
            return Step.HOLD
        data = self._data(event)
        if not data:  # a comment
            return Step.HOLD if self._is_over else Step.PASS
        document = _parse(data)
        if not isinstance(document, dict):
            return self._fail(data)
        step = self._read(document, data)
        if step is not Step.FAIL:
            self._keep(event)
        return step

    def read_body(self, body: bytes) -> None:
        """Take a whole answer."""
        document = _parse(body)
        if not isinstance(document, dict) or self._is_error(document):
            self._fail(body)
            return
        self._body = body
        self._read_whole(document)
        if self.error is None:
            self.is_complete = True
            self._mark_zero()

    def end(self) -> None:
        """Take the end of the stream: an answer that finished is whole, whatever is missing."""
        if self._has_open_choice():
            self._finish = None
        self.is_complete = self.is_complete or self._finish is not None
        if self.is_complete:
            self._mark_zero()

    def take_text(self) -> str:
        """Return what was delivered since the last call."""
        if self._body:
            document, self._body = _parse(self._body), b""
            self._collect(self._text_of(document))
        self._fold()
        text = "".join(self._text)
        self._text.clear()
        return text

    @abc.abstractmethod
    def _read(self, document: dict[str, Any], data: bytes) -> Step:
        """Take one document of the stream."""

    @abc.abstractmethod
    def _read_whole(self, document: dict[str, Any]) -> None:
        """Take the one document of an answer that is no stream."""

    @abc.abstractmethod
    def _count(self) -> Usage | None:
        """Turn the vendor's numbers into usage."""

    @abc.abstractmethod
    def _text_of(self, document: Any) -> Iterator[str]:
        """Tell all generated text of a document."""

    def _text_of_event(self, event: bytes) -> Iterable[str]:
        document = _parse(self._data(event))
        return self._text_of(document) if isinstance(document, dict) else ()

    def _has_open_choice(self) -> bool:
        """Whether one of several choices began and did not finish."""
        return False

    def _is_error(self, document: dict[str, Any]) -> bool:
        return bool(document.get("error"))

    def _data(self, event: bytes) -> bytes:
        return sse.data_of(event)

    def _fail(self, data: bytes) -> Step:
        """Note an error; after the finish it changes nothing for money, and passes as it is."""
        if self._is_over or self.is_complete:
            self.flags.add(Flag.LATE_ERROR)
            return Step.HOLD
        self._finish = None  # of several choices one may have finished: the answer did not
        self.error = errors.from_vendor(status=200, headers={}, body=data, family=self.family)
        return Step.FAIL

    def _end_with(self, native: object, table: dict[str, FinishReason]) -> None:
        """Note why it ended; the first reason wins."""
        if self._finish is not None:
            return
        reason = table.get(native) if isinstance(native, str) else None
        if reason is None:
            self.flags.add(Flag.UNKNOWN_FINISH)
        self._finish = reason or FinishReason.OTHER

    def _mark_zero(self) -> None:
        usage = self.usage
        if self.has_output and usage is not None and usage.raw and not usage.quantities:
            self.flags.add(Flag.ZERO)

    def _keep(self, event: bytes) -> None:
        self._kept.append(event)
        self._kept_bytes += len(event)
        if self._kept_bytes > KEPT_BYTES_MAX:
            self._fold()

    def _fold(self) -> None:
        for event in self._kept:
            self._collect(self._text_of_event(event))
        self._kept.clear()
        self._kept_bytes = 0

    def _collect(self, pieces: Iterable[str]) -> None:
        for piece in pieces:
            if self._text_chars < TEXT_CHARS_MAX:
                self._text.append(piece)
                self._text_chars += len(piece)


class WholeReader(AnswerReader):
    """Reads an operation that has no stream and brings no text: counts and embeddings."""

    __slots__ = ()

    def _read(self, document: dict[str, Any], data: bytes) -> Step:  # noqa: ARG002 - no stream
        return self._fail(data)

    def _read_whole(self, document: dict[str, Any]) -> None:  # noqa: ARG002 - for those who meter
        self.has_output = True
        self._finish = FinishReason.STOP

    def _text_of(self, document: Any) -> Iterator[str]:  # noqa: ARG002 - numbers
        return iter(())


class FreeReader(WholeReader):
    """Reads an operation that vendors give for nothing: its usage is nothing."""

    __slots__ = ()

    def _count(self) -> Usage | None:
        return Usage() if self.has_output else None


def _parse(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def dicts(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a JSON list; [] for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def mapping(value: Any) -> dict[str, Any]:
    """Return a JSON object; {} for anything else."""
    return value if isinstance(value, dict) else {}


def word(value: Any) -> str:
    """Return a JSON string; "" for anything else."""
    return value if isinstance(value, str) else ""


def strings(value: Any) -> Iterator[str]:
    """Tell every string inside a JSON value, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
