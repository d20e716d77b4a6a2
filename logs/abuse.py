"""Addresses that are shut out, known as digests under a salt of the day, in memory alone.

A salt serves for the day it was drawn and the next one; then it is overwritten, and nobody can tell
any more which addresses the digests stood for. Each process draws its own: limits by address are
each worker's own as well, and nothing has to be shared (docs/adr/0034).
"""

import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass

DAY_S = 86_400.0
SALT_BYTES = 32
ADDRESSES_MAX = 100_000


@dataclass(slots=True)
class _Block:
    until: float
    times: int


class Blocks:
    """Who is shut out until when; each further block within the salt's life lasts longer.

    `now` is seconds of a clock that does not jump (monotonic).
    """

    def __init__(self, *, first_s: float, factor: int, max_s: float) -> None:
        self._first_s, self._factor, self._max_s = first_s, factor, max_s
        self._salts: dict[int, bytearray] = {}
        self._blocks: OrderedDict[tuple[int, bytes], _Block] = OrderedDict()

    def left_s(self, address: str, now: float) -> float:
        """Return for how long an address is still shut out; 0.0 or less: not at all."""
        if not self._blocks:
            return 0.0
        found = self._find(address, now)
        left_s = found.until - now if found else 0.0
        return left_s if left_s <= self._max_s else 0.0  # a clock that went backwards

    def block(self, address: str, now: float) -> float:
        """Shut an address out; return for how long. One that is out already stays as it is."""
        found = self._find(address, now)
        if found is not None and found.until > now:
            return found.until - now
        times = found.times + 1 if found else 1
        for_s = min(self._max_s, self._first_s * float(self._factor ** (times - 1)))
        cell = self._cell(address, int(now // DAY_S), now)
        self._blocks[cell] = _Block(now + for_s, times)
        self._blocks.move_to_end(cell)
        if len(self._blocks) > ADDRESSES_MAX:
            self._blocks.popitem(last=False)
        return for_s

    def lift(self, address: str, now: float) -> None:
        """Let an address in again, as if it had never been shut out."""
        for day in list(self._salts):
            self._blocks.pop(self._cell(address, day, now), None)

    def standing(self, now: float) -> int:
        """Return how many addresses are shut out."""
        return sum(block.until > now for block in self._blocks.values())

    def clear(self) -> None:
        """Forget all addresses, and overwrite the salts."""
        self._blocks.clear()
        for day in list(self._salts):
            self._overwrite(day)

    def _find(self, address: str, now: float) -> _Block | None:
        today = int(now // DAY_S)
        days = [today, *(day for day in self._salts if day == today - 1)]
        cells = (self._cell(address, day, now) for day in days)
        return next((found for cell in cells if (found := self._blocks.get(cell))), None)

    def _cell(self, address: str, day: int, now: float) -> tuple[int, bytes]:
        if day not in self._salts:
            today = int(now // DAY_S)
            for old in [known for known in self._salts if not today - 1 <= known <= today]:
                self._overwrite(old)
            self._salts[day] = bytearray(secrets.token_bytes(SALT_BYTES))
        return day, hmac.digest(self._salts[day], address.encode(), "sha256")

    def _overwrite(self, day: int) -> None:
        salt = self._salts.pop(day)
        salt[:] = bytes(len(salt))
        for cell in [one for one in self._blocks if one[0] == day]:
            del self._blocks[cell]
