r"""A JSON array that arrives in pieces, cut into its elements byte for byte (pure).

Gemini streams so when the caller leaves `alt=sse` out: `[{...}`, `,\r\n{...}`, ..., `]`.
"""

import re

from routing import sse
from routing.sse import EVENT_BYTES_MAX, EventTooLarge

_STRUCTURE = re.compile(rb'["{}\[\]]')
_STRING_END = re.compile(rb'["\\]')


def data_of(event: bytes) -> bytes:
    """Return the element without its punctuation; of an event of a stream its data."""
    stripped = event.strip(b"[,] \t\r\n")
    return stripped if not stripped or stripped.startswith(b"{") else sse.data_of(event)


class Splitter:
    """Gives each element with the punctuation before it; the closing bracket is the rest.

    The same promises as `sse.Splitter`: the elements are the same for every way of cutting the
    stream, and their concatenation with `rest()` is the stream.
    """

    __slots__ = ("_at", "_buffer", "_depth", "_event_bytes_max", "_in_string")

    def __init__(self, event_bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._event_bytes_max = event_bytes_max
        self._buffer = bytearray()
        self._at = 0  # how far the buffer was read
        self._depth = 0
        self._in_string = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take bytes and return the elements that they complete. Raises: EventTooLarge."""
        self._buffer += chunk
        elements: list[bytes] = []
        start = 0
        while (end := self._next_end()) is not None:
            elements.append(bytes(self._buffer[start:end]))
            start = end
        del self._buffer[:start]
        self._at -= start
        sizes = [len(self._buffer), *map(len, elements)]
        if max(sizes) > self._event_bytes_max:
            raise EventTooLarge
        return elements

    def rest(self) -> bytes:
        """Return what is left: the closing bracket of a whole array, or half an element."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._at = 0
        return rest

    def _next_end(self) -> int | None:
        """Read on and return where an element of the array ends; None at the end of the buffer."""
        while True:
            pattern = _STRING_END if self._in_string else _STRUCTURE
            found = pattern.search(self._buffer, self._at)
            if found is None:
                self._at = len(self._buffer)
                return None
            mark = found.group()
            if mark == b"\\":
                if found.end() == len(self._buffer):  # what it escapes is yet to come
                    self._at = found.start()
                    return None
                self._at = found.end() + 1
                continue
            self._at = found.end()
            if self._step(mark):
                return self._at

    def _step(self, mark: bytes) -> bool:
        """Take one mark; tell whether it closes an element of the outermost array."""
        if mark == b'"':
            self._in_string = not self._in_string
        elif mark in b"{[":
            self._depth += 1
        else:
            self._depth -= 1
            return self._depth == 1
        return False
