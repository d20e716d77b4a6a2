"""Callers that were verified, kept in this worker's memory: the cache of API keys."""

import ipaddress
import threading
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from accounts.models import ApiKey

CACHED_MAX = 20_000
# A safety net only: changes reach the cache within a second (changes.py).
CACHED_TTL_S = 60.0
UNKNOWN_MAX = 20_000
UNKNOWN_TTL_S = 2.0

Reason = Literal[
    "malformed",
    "unknown",
    "expired",
    "disabled",
    "paused",
    "ip_not_allowed",
    "account_inactive",
]


class KeyRefused(Exception):
    """The key is proven bad, or not allowed from here."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class DebugWindow:
    """Debug mode of a key: the session that keeps what is said, and its end in Unix time."""

    session_id: uuid.UUID
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, as far as a key tells."""

    key_id: int
    account_id: int
    key_is_demo: bool
    account_is_demo: bool
    allowed_models: tuple[str, ...]
    has_budget: bool
    requests_per_minute_max: int | None
    concurrency_max: int | None
    last_four: str
    is_management: bool = False
    is_trial: bool = False  # all its account's money is a trial's
    # The key's own rate; it can only lower the account's.
    key_requests_per_minute_max: int | None = None
    # The key that holds the limits of money and rate: the oldest of a row of rotated ones.
    limits_key_id: int = 0
    # Jurisdictions of vendors that key and account both allow; None: every one.
    allowed_jurisdictions: frozenset[str] | None = None
    # What the account alone allows.
    account_jurisdictions: frozenset[str] | None = None
    debug: DebugWindow | None = None  # its end is looked at with each request

    @property
    def budget_key_id(self) -> int | None:
        """The key whose budgets hold, None without any."""
        return self.limits_key_id if self.has_budget else None

    def may_use(self, model_slug: str) -> bool:
        """Tell whether the key's patterns allow a model: exact, or a prefix before `*`."""
        if not self.allowed_models:
            return True
        return any(
            model_slug.startswith(pattern[:-1]) if pattern.endswith("*") else model_slug == pattern
            for pattern in self.allowed_models
        )


@lru_cache(maxsize=4096)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        return found.ipv4_mapped
    return found


def _both(one: Sequence[str], other: Sequence[str]) -> frozenset[str] | None:
    """Return what two lists allow together; an empty list allows everything."""
    if one and other:
        return frozenset(one) & frozenset(other)
    return frozenset(one or other) or None


def _debug(key: ApiKey) -> DebugWindow | None:
    if key.debug_session is None or key.debug_until is None:
        return None
    return DebugWindow(session_id=key.debug_session, until=key.debug_until.timestamp())


class Entry:
    """One verified key: its caller, and the rules that are checked at every hit."""

    __slots__ = ("_expires_at", "_networks", "_refused", "caller", "fresh_until")

    def __init__(self, key: ApiKey, *, now: float) -> None:
        account = key.account
        self.fresh_until = now + CACHED_TTL_S
        self._refused: Reason | None = None
        if key.disabled_at is not None:
            self._refused = "disabled"
        elif key.paused_at is not None:
            self._refused = "paused"
        elif not account.is_active:
            self._refused = "account_inactive"
        self._expires_at = key.expires_at.timestamp() if key.expires_at else None
        self._networks = tuple(ipaddress.ip_network(text) for text in key.allowed_ips)
        self.caller = Caller(
            key_id=key.pk,
            account_id=account.pk,
            key_is_demo=key.is_demo,
            account_is_demo=account.is_demo,
            allowed_models=tuple(key.allowed_models),
            has_budget=key.has_budget,
            requests_per_minute_max=account.requests_per_minute_max,
            concurrency_max=account.concurrency_max,
            last_four=key.last_four,
            is_management=key.is_management,
            is_trial=account.is_trial,
            key_requests_per_minute_max=key.requests_per_minute_max,
            limits_key_id=key.limits_key_id,
            allowed_jurisdictions=_both(key.allowed_jurisdictions, account.allowed_jurisdictions),
            account_jurisdictions=_both(account.allowed_jurisdictions, ()),
            debug=_debug(key),
        )

    def admit(self, source_ip: str, now: float) -> Caller:
        """Return the caller. Raises: KeyRefused."""
        if self._refused is not None:
            raise KeyRefused(self._refused)
        if self._expires_at is not None and now >= self._expires_at:
            raise KeyRefused("expired")
        if self._networks:
            address = _address(source_ip)
            if address is None or not any(address in network for network in self._networks):
                raise KeyRefused("ip_not_allowed")
        return self.caller


class Cache:
    """Verified keys and unknown digests, both bounded, by full digest under the newest pepper.

    Read on the event loop without a lock (each step is one atomic operation of the dict);
    written under the lock by look-ups and by the change listener.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._digests: dict[int, bytes] = {}
        self._lock = threading.Lock()
        # Counts invalidations: what was read before one must not be stored after it.
        self.generation = 0

    def get(self, digest: bytes, now: float) -> Entry | None:
        """Return a fresh entry. Raises: KeyRefused for a digest found unknown just now."""
        entry = self._entries.get(digest)
        if entry is None:
            if self._unknown.get(digest, 0.0) > now:
                raise KeyRefused("unknown")
            return None
        if entry.fresh_until <= now:
            return None
        try:
            self._entries.move_to_end(digest)
        except KeyError:  # dropped by the listener since
            return None
        return entry

    def knows(self, digest: bytes) -> bool:
        """True for the digest of a verified key, however long ago it was read."""
        return digest in self._entries

    def put(self, digest: bytes, entry: Entry, *, generation: int) -> bool:
        """Keep an entry; False when something was dropped since `generation`."""
        with self._lock:
            if generation != self.generation:
                return False
            self._entries[digest] = entry
            self._digests[entry.caller.key_id] = digest
            while len(self._entries) > CACHED_MAX:
                _, oldest = self._entries.popitem(last=False)
                self._digests.pop(oldest.caller.key_id, None)
            return True

    def put_unknown(self, digest: bytes, *, until: float) -> None:
        with self._lock:
            self._unknown[digest] = until
            while len(self._unknown) > UNKNOWN_MAX:
                self._unknown.popitem(last=False)

    def drop_key(self, ref: str) -> None:
        """Forget one key, or all with an empty ref."""
        if not ref:
            self.clear()
            return
        with self._lock:
            self.generation += 1
            digest = self._digests.pop(int(ref), None)
            if digest is not None:
                self._entries.pop(digest, None)

    def drop_account(self, ref: str) -> None:
        """Forget the keys of one account, or all with an empty ref."""
        if not ref:
            self.clear()
            return
        account_id = int(ref)
        with self._lock:
            self.generation += 1
            for digest, entry in list(self._entries.items()):
                if entry.caller.account_id == account_id:
                    self._entries.pop(digest, None)
                    self._digests.pop(entry.caller.key_id, None)

    def clear(self) -> None:
        with self._lock:
            self.generation += 1
            self._entries.clear()
            self._unknown.clear()
            self._digests.clear()
