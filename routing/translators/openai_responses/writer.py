"""Events of a Responses stream as bytes, counted (pure)."""

from typing import Any

import orjson

# More than any model gives: what exceeds it is not repeated in the last event.
KEPT_BYTES_MAX = 64 << 20


class Writer:
    """Numbers the events, and keeps the finished items for the last one."""

    __slots__ = ("_items", "_kept_bytes", "sequence")

    def __init__(self) -> None:
        self.sequence = 0
        self._items: dict[int, bytes] = {}
        self._kept_bytes = 0

    def event(self, kind: str, fields: dict[str, Any]) -> bytes:
        """Write one event."""
        data = orjson.dumps({"type": kind, "sequence_number": self.sequence, **fields})
        self.sequence += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)

    def delta(self, head: bytes, text: str) -> bytes:
        """Write a delta whose other fields do not change: `delta_head` made its head."""
        sequence = self.sequence
        self.sequence = sequence + 1
        return b'%b%b,"sequence_number":%d}\n\n' % (head, orjson.dumps(text), sequence)

    def keep(self, index: int, item: dict[str, Any]) -> bytes:
        """Write the end of an item, and keep it."""
        data = orjson.dumps(item)
        self._kept_bytes += len(data)
        if self._kept_bytes <= KEPT_BYTES_MAX:
            self._items[index] = data
        return self.event(
            "response.output_item.done",
            {"output_index": index, "item": orjson.Fragment(data)},
        )

    def output(self) -> list[orjson.Fragment]:
        """Return all finished items in order."""
        return [orjson.Fragment(self._items[index]) for index in sorted(self._items)]


def delta_head(kind: str, fields: dict[str, Any]) -> bytes:
    """Return a delta's bytes up to its text."""
    data = orjson.dumps({"type": kind, **fields})
    return b'event: %b\ndata: %b,"delta":' % (kind.encode(), data[:-1])
