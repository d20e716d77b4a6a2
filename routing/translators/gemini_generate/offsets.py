"""Bytes and characters of a text that went by (pure)."""

from typing import Final

KEPT_CHARS_MAX: Final = 1 << 20  # of text beyond ASCII


class Offsets:
    """Turns offsets in UTF-8 bytes into those in characters, and back.

    Keeps the pieces that are not ASCII only, up to a limit: beyond it nothing can be told.
    """

    __slots__ = ("_ascii", "_kept", "_runs", "bytes", "chars")

    def __init__(self) -> None:
        self._runs: list[int | str] = []
        self._ascii = 0  # the run at the end, where it is plain
        self._kept = 0
        self.bytes = 0
        self.chars = 0

    def add(self, text: str) -> None:
        """Take the next piece."""
        if self._kept > KEPT_CHARS_MAX:
            return
        length = len(text)
        self.chars += length
        if text.isascii():
            self._ascii += length
            self.bytes += length
            return
        if self._ascii:
            self._runs.append(self._ascii)
            self._ascii = 0
        self._runs.append(text)
        self._kept += length
        self.bytes += len(text.encode("utf-8", "surrogatepass"))

    def char_of(self, byte: int) -> int | None:
        """Return how many characters stand before this byte; None outside of what is known."""
        if not 0 <= byte <= self.bytes:
            return None
        chars = 0
        for run in (*self._runs, self._ascii):
            if type(run) is int:
                if byte <= run:
                    return chars + byte
                byte -= run
                chars += run
            elif type(run) is str:
                raw = run.encode("utf-8", "surrogatepass")
                if byte <= len(raw):
                    return chars + len(raw[:byte].decode("utf-8", "ignore"))
                byte -= len(raw)
                chars += len(run)
        return chars

    def byte_of(self, char: int) -> int | None:
        """Return how many bytes stand before this character; None outside of what is known."""
        if not 0 <= char <= self.chars:
            return None
        size = 0
        for run in (*self._runs, self._ascii):
            if type(run) is int:
                if char <= run:
                    return size + char
                char -= run
                size += run
            elif type(run) is str:
                if char <= len(run):
                    return size + len(run[:char].encode("utf-8", "surrogatepass"))
                char -= len(run)
                size += len(run.encode("utf-8", "surrogatepass"))
        return size
