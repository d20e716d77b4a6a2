"""Seals of reasoning for clients that cannot carry them: in memory, an hour at most.

A client whose protocol has no place for a signature, or that drops it, sends a tool loop's next
turn without it, and vendors refuse that or think again from nothing. The vault gives the seal
back by the id of the call. It lives in this worker's memory only and is lost with it; a seal
that was never made is not invented.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from routing.conversation import Request
from routing.translators import keeping, names
from routing.translators.keeping import Kept

TTL_S: Final = 3_600
CHARS_MAX: Final = 64 << 20

_Key = tuple[int, str]


class Vault:
    """Kept seals of all accounts, the oldest forgotten first."""

    def __init__(self, *, chars_max: int = CHARS_MAX, ttl_s: float = TTL_S) -> None:
        self._chars_max = chars_max
        self._ttl_s = ttl_s
        self._chars = 0
        self._entries: OrderedDict[_Key, tuple[float, int, Kept]] = OrderedDict()

    def keep(self, account_id: int, kept: Mapping[str, Kept], *, now: float) -> None:
        """Remember what an answer's calls may need. `now`: monotonic seconds."""
        for call_id, entry in kept.items():
            key = (account_id, names.legal_id(call_id))
            self._drop(key)
            size = _size(entry)
            self._entries[key] = (now, size, entry)
            self._chars += size
        self._forget(now)

    def restore(self, account_id: int, request: Request, *, now: float) -> Request:
        """Return the request with the seals that its client did not send back."""
        if not self._entries:
            return request
        self._forget(now)
        found: dict[str, Kept] = {}
        for call_id in keeping.missing(request):
            entry = self._entries.get((account_id, names.legal_id(call_id)))
            if entry is not None:
                found[call_id] = entry[2]
        return keeping.restored(request, found)

    def __len__(self) -> int:
        return len(self._entries)

    def _forget(self, now: float) -> None:
        while self._entries:
            key, (since, _, _) = next(iter(self._entries.items()))
            if now - since < self._ttl_s and self._chars <= self._chars_max:
                return
            self._drop(key)

    def _drop(self, key: _Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._chars -= entry[1]


def _size(kept: Kept) -> int:
    seals = [kept.seal, *(part.seal for part in kept.reasoning)]
    texts = sum(len(part.text) for part in kept.reasoning)
    return texts + sum(len(seal.data) for seal in seals if seal is not None) + 200


_vault = Vault()


def keep(account_id: int, kept: Mapping[str, Kept]) -> None:
    """Remember what an answer's calls may need."""
    if kept:
        _vault.keep(account_id, kept, now=time.monotonic())


def restore(account_id: int, request: Request) -> Request:
    """Return the request with the seals that its client did not send back."""
    return _vault.restore(account_id, request, now=time.monotonic())
