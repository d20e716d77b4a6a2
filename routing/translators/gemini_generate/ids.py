"""Ids of calls that came without one, and which call a result answers (pure)."""

import hashlib
import re
from collections import deque
from typing import Final

_MADE: Final = re.compile(r"call_[0-9a-f]{24}")
# The form of the ids that Google gives (all 7 that were recorded, 2026).
_GOOGLES: Final = re.compile(r"[a-z0-9]{8}")


def make(*seeds: object, is_signed: bool) -> str:
    """Return an id for a call: the same for the same call of the same answer.

    Its last digit tells whether Google signed the answer that the call is of, since a client may
    lose the signature and a lost one is not one that never was.
    """
    text = "\x1f".join(map(str, seeds))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    last = int(digest[23], 16) | 8 if is_signed else int(digest[23], 16) & 7
    return f"call_{digest[:23]}{last:x}"


def is_made(call_id: str) -> bool:
    """Tell whether an id may be one that we made: no model has ever seen it."""
    return _MADE.fullmatch(call_id) is not None


def was_never_signed(call_id: str) -> bool:
    """Tell whether a call is surely none that a signing Gemini made."""
    if is_made(call_id):
        return call_id[-1] in "01234567"
    return _GOOGLES.fullmatch(call_id) is None


class OpenCalls:
    """Calls that wait for their results. Each is known by a number that the caller gives."""

    __slots__ = ("_answered", "_by_id", "_by_name", "_order")

    def __init__(self) -> None:
        self._answered: set[int] = set()
        self._by_id: dict[str, deque[int]] = {}
        self._by_name: dict[str, deque[int]] = {}
        self._order: deque[int] = deque()

    def begin(self) -> None:
        """Begin a turn: calls of earlier ones are found by their ids only."""
        self._by_name = {}
        self._order = deque()

    def add(self, number: int, *, call_id: str, name: str) -> None:
        """Note a call."""
        if call_id:
            self._by_id.setdefault(call_id, deque()).append(number)
        self._by_name.setdefault(name, deque()).append(number)
        self._order.append(number)

    def answer(self, *, call_id: str, name: str) -> int | None:
        """Return the call that a result answers: by its id, else its name, else in order."""
        for waiting in (self._by_id.get(call_id), self._by_name.get(name), self._order):
            while waiting:
                number = waiting.popleft()
                if number not in self._answered:
                    self._answered.add(number)
                    return number
        return None

    def has_answer(self, number: int) -> bool:
        """Tell whether the result of a call came."""
        return number in self._answered
