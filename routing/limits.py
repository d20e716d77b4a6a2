"""Rate, concurrency and abuse limits of this worker, in memory.

Rates follow the generic cell rate algorithm (GCRA, ITU-T I.371): a cell holds one number, the
time at which its allowance would be whole again. A minute's allowance may be used at once and
comes back evenly. Everything here runs on the event loop; `now` is monotonic seconds.
"""

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Literal, Self

from django.conf import settings

from accounts.keys import Caller
from logs import abuse

PERIOD_S = 60.0
# What sums of floating-point seconds may be wrong by: the last of an allowance must pass.
SLACK_S = 1e-4
CELLS_MAX = 100_000
# Nobody knows when a running request will end: ask again soon.
CONCURRENCY_RETRY_S = 1.0
# Ten times the allowed failures (and attempts refused for them) shut an address out for long; if
# it comes again within two days, for four times as long, and so on.
BLOCK_FACTOR = 10
BLOCK_S, AGAIN_FACTOR, BLOCK_S_MAX = 900.0, 4, 86_400.0
# An IPv6 customer holds at least a /64: it is the address that counts.
IPV6_PREFIX = 64

LimitScope = Literal[
    "ip", "ip_concurrency", "key", "key_concurrency", "account_concurrency", "auth"
]


class RateLimited(Exception):
    """A limit is reached; the same request may pass after `wait_s` seconds."""

    def __init__(self, *, scope: LimitScope, limit: int, wait_s: float) -> None:
        super().__init__(scope)
        self.scope: LimitScope = scope
        self.limit = limit
        self.wait_s = wait_s

    @property
    def retry_after_s(self) -> int:
        """Whole seconds for the Retry-After header: never too early."""
        return max(1, math.ceil(self.wait_s))


class _Rates:
    """GCRA cells of one scope, at most CELLS_MAX, the longest unused go first."""

    __slots__ = ("_full_at",)

    def __init__(self) -> None:
        self._full_at: OrderedDict[object, float] = OrderedDict()

    def wait_s(self, cell: object, limit: int, now: float) -> float:
        """Return the seconds until one more may happen; 0.0 or less means now."""
        full_at = self._full_at.get(cell, 0.0)
        if full_at > now + PERIOD_S + 1:
            return 0.0  # a clock that went backwards
        return full_at + PERIOD_S / limit - PERIOD_S - SLACK_S - now

    def take(self, cell: object, limit: int, now: float) -> None:
        """Count one. The caller has seen that wait_s is not above zero."""
        full_at = self._full_at.get(cell, now)
        if not now <= full_at <= now + PERIOD_S + 1:
            full_at = now
        self._full_at[cell] = full_at + PERIOD_S / limit
        self._full_at.move_to_end(cell)
        if len(self._full_at) > CELLS_MAX:
            self._full_at.popitem(last=False)

    def remaining(self, cell: object, limit: int, now: float) -> int:
        """Return how many may happen at once now."""
        used_s = max(0.0, self._full_at.get(cell, 0.0) - now)
        free_s = PERIOD_S + SLACK_S - used_s
        return max(0, min(limit, math.floor(free_s * limit / PERIOD_S)))

    def drop(self, cell: object) -> None:
        self._full_at.pop(cell, None)

    def clear(self) -> None:
        self._full_at.clear()

    def __len__(self) -> int:
        return len(self._full_at)


class Ticket:
    """A running request's place; leave() gives it back, once."""

    __slots__ = ("_account_id", "_cell", "_key_id")

    def __init__(self, caller: Caller, cell: str) -> None:
        self._key_id: int | None = caller.key_id
        self._account_id = caller.account_id
        self._cell = cell

    def leave(self) -> None:
        """Give the place back; later calls do nothing."""
        if self._key_id is not None:
            _down(_key_running, self._key_id)
            _down(_account_running, self._account_id)
            _down(_ip_running, self._cell)
            self._key_id = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()


def _down(running: dict[Any, int], cell: Any) -> None:
    left = running[cell] - 1
    if left:
        running[cell] = left
    else:
        del running[cell]


_ips = _Rates()
_keys = _Rates()
_key_running: dict[int, int] = {}
_account_running: dict[int, int] = {}
_ip_running: dict[str, int] = {}


def enter(caller: Caller, ip: str, now: float) -> Ticket:
    """Count a request and give it a place. Raises: RateLimited, and then nothing is counted."""
    key_id, account_id = caller.key_id, caller.account_id
    running = _key_running.get(key_id, 0)
    limit = caller.concurrency_max or settings.KEY_CONCURRENCY
    if running >= limit:
        raise RateLimited(scope="key_concurrency", limit=limit, wait_s=CONCURRENCY_RETRY_S)
    account_running = _account_running.get(account_id, 0)
    limit = caller.concurrency_max or settings.ACCOUNT_CONCURRENCY
    if account_running >= limit:
        raise RateLimited(scope="account_concurrency", limit=limit, wait_s=CONCURRENCY_RETRY_S)
    cell = _network(ip) if ":" in ip else ip
    ip_running = _ip_running.get(cell, 0)
    if ip_running >= settings.IP_CONCURRENCY:
        raise RateLimited(
            scope="ip_concurrency", limit=settings.IP_CONCURRENCY, wait_s=CONCURRENCY_RETRY_S
        )
    key_limit, rate_cell = requests_per_minute(caller), caller.limits_key_id or key_id
    if (wait_s := _keys.wait_s(rate_cell, key_limit, now)) > 0:
        raise RateLimited(scope="key", limit=key_limit, wait_s=wait_s)
    ip_limit = settings.IP_REQUESTS_PER_MINUTE
    if (wait_s := _ips.wait_s(cell, ip_limit, now)) > 0:
        raise RateLimited(scope="ip", limit=ip_limit, wait_s=wait_s)
    _keys.take(rate_cell, key_limit, now)
    _ips.take(cell, ip_limit, now)
    _key_running[key_id] = running + 1
    _account_running[account_id] = account_running + 1
    _ip_running[cell] = ip_running + 1
    return Ticket(caller, cell)


def running() -> int:
    """Return how many requests hold a place in this worker."""
    return sum(_key_running.values())


def remaining(caller: Caller, now: float) -> int:
    """Return how many requests a key may make at once now, in this worker."""
    cell = caller.limits_key_id or caller.key_id
    return _keys.remaining(cell, requests_per_minute(caller), now)


def requests_per_minute(caller: Caller) -> int:
    """Return a key's rate: the account's, or what the key itself lowers it to."""
    limit = caller.requests_per_minute_max or settings.KEY_REQUESTS_PER_MINUTE
    own = caller.key_requests_per_minute_max
    return limit if own is None or own > limit else own


# Failed authentication

_failures = _Rates()
_attempts = _Rates()
_blocks = abuse.Blocks(first_s=BLOCK_S, factor=AGAIN_FACTOR, max_s=BLOCK_S_MAX)


def check_ip(ip: str, now: float) -> None:
    """Let an address try a key that is new here. Raises: RateLimited after many failures.

    Keys that worked here need not ask: who guesses has none, and one broken client must not shut
    out everybody behind its address.
    """
    cell = _network(ip) if ":" in ip else ip
    limit = settings.IP_AUTH_FAILURES_PER_MINUTE
    blocked_s = _blocks.left_s(cell, now)
    if blocked_s > 0:
        raise RateLimited(scope="auth", limit=limit, wait_s=blocked_s)
    wait_s = _failures.wait_s(cell, limit, now)
    if wait_s > 0:
        _note_attempt(cell, limit, now)
        raise RateLimited(scope="auth", limit=limit, wait_s=wait_s)


def note_auth_failure(ip: str, now: float) -> None:
    """Count a key that was refused."""
    cell = _network(ip) if ":" in ip else ip
    limit = settings.IP_AUTH_FAILURES_PER_MINUTE
    if _failures.wait_s(cell, limit, now) <= 0:
        _failures.take(cell, limit, now)
    _note_attempt(cell, limit, now)


def _note_attempt(cell: str, limit: int, now: float) -> None:
    allowed = limit * BLOCK_FACTOR
    if _attempts.wait_s(cell, allowed, now) <= 0:
        _attempts.take(cell, allowed, now)
        return
    _blocks.block(cell, now)


def lift(ip: str, now: float) -> None:
    """Let an address try keys again at once; of an IPv6 address, its network."""
    cell = _network(ip) if ":" in ip else ip
    _blocks.lift(cell, now)
    for rates in (_failures, _attempts):
        rates.drop(cell)


def blocked(now: float) -> int:
    """Return how many addresses are shut out of this worker."""
    return _blocks.standing(now)


def forget() -> None:
    """Forget all rates and failures; running requests keep their places."""
    for rates in (_ips, _keys, _failures, _attempts):
        rates.clear()
    _blocks.clear()


# Addresses


@lru_cache(maxsize=16_384)
def _network(ip: str) -> str:
    """Return what an IPv6 address counts as."""
    try:
        return str(ipaddress.ip_network(f"{ip}/{IPV6_PREFIX}", strict=False))
    except ValueError:
        return ip


@lru_cache(maxsize=16_384)
def _clean(text: str) -> str:
    """Return an address in its usual form, without port or zone; "" if it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def is_loopback(scope: Mapping[str, Any]) -> bool:
    """Tell whether who connected to us is on this machine."""
    peer = scope.get("client")
    address = _clean(peer[0]) if peer else ""
    return bool(address) and ipaddress.ip_address(address).is_loopback


def client_ip(scope: Mapping[str, Any]) -> str:
    """Return the address of the client of an ASGI scope, "" when there is none.

    Behind TRUSTED_PROXY_HOPS proxies it is that many from the right in X-Forwarded-For: each
    proxy appends the address it saw, and what stands further left was written by the client.
    """
    peer = scope.get("client")
    address = _clean(peer[0]) if peer else ""
    hops = settings.TRUSTED_PROXY_HOPS
    if not hops:
        return address
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    if not values:
        return address
    chain = b",".join(values).decode("latin-1").split(",")
    return _clean(chain[-min(hops, len(chain))]) or address
