"""Server-sent events as bytes: whole events out of any split of a stream (pure)."""

import re

EVENT_BYTES_MAX = 4 * 1024 * 1024

BOM = b"\xef\xbb\xbf"

# The end of a line, then an empty line. After LF a CR may be half of CRLF: then the next byte
# decides, so that an event is the same wherever the network cuts. After CR CR nothing is waited
# for; should LF follow all the same, it opens the next event as an empty line, which is harmless.
BOUNDARY = re.compile(rb"\n\n|\n\r\n|\r\r|\n\r(?=[^\n])")
# A boundary that began in the bytes before starts at most this far back.
LOOK_BEHIND = 2


class EventTooLarge(ValueError):
    """One event of the stream is larger than the limit."""


class Splitter:
    """Cuts a stream into whole events, each with its empty line, byte for byte.

    The events of one stream are the same for every way of cutting it into chunks, and their
    concatenation with `rest()` is the stream. Empty lines beyond an event's own go to the next.
    """

    __slots__ = ("_buffer", "_event_bytes_max", "_seen")

    def __init__(self, event_bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._event_bytes_max = event_bytes_max
        self._buffer = bytearray()
        self._seen = 0  # bytes of the buffer that hold no boundary

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take bytes and return the events that they complete.

        Raises: EventTooLarge, after the events before it were returned.
        """
        if not self._buffer:
            # Vendors write one event at a time: it is passed on without a copy.
            found = BOUNDARY.search(chunk)
            if found is not None and found.end() == len(chunk) <= self._event_bytes_max:
                return [chunk]
        self._buffer += chunk
        return self._cut()

    def rest(self) -> bytes:
        """Return what is left at the end of the stream: an event without its empty line, or b""."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._seen = 0
        return rest

    def _cut(self) -> list[bytes]:
        buffer, limit = self._buffer, self._event_bytes_max
        events: list[bytes] = []
        start = 0
        for found in BOUNDARY.finditer(buffer, max(0, self._seen - LOOK_BEHIND)):
            if found.end() - start > limit:
                break
            events.append(bytes(buffer[start : found.end()]))
            start = found.end()
        del buffer[:start]
        self._seen = len(buffer)
        if self._seen > limit:
            if not events:
                raise EventTooLarge
            self._seen = 0  # the next call looks again from the start, and raises
        return events


def data_of(event: bytes) -> bytes:
    """Return the event's data lines, joined with LF; b"" when it has none (a comment)."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2 and b"\r" not in event:
        return event[6:-2]
    if event.endswith(b"\r\n\r\n") and event.startswith(b"data: "):  # Gemini
        end = len(event) - 4
        if event.find(b"\r") == end and event.find(b"\n") == end + 1:
            return event[6:end]
    fields = (line.partition(b":") for line in event.removeprefix(BOM).splitlines())
    return b"\n".join(value.removeprefix(b" ") for name, _, value in fields if name == b"data")
