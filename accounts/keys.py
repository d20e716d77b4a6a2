"""Mint, verify and revoke API keys.

A key is `bnr_live_`, 30 random base62 characters and 6 that carry the CRC-32 of all before
them. Only an HMAC of it is stored, under a pepper that is not in the database; the cache of
a worker is keyed by that whole digest. Whoever reads the database cannot call the API.
"""

import asyncio
import datetime as dt
import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NotRequired, TypedDict, Unpack

from django.db import DEFAULT_DB_ALIAS, Error, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from accounts import changes, keytext
from accounts.callers import UNKNOWN_TTL_S, Cache, Caller, Entry, KeyRefused
from accounts.keytext import NoPepper, derive_demo
from accounts.models import Account, ApiKey, Change, User

__all__ = [
    "Caller",
    "InvalidScope",
    "KeyRefused",
    "KeysUnavailable",
    "NoPepper",
    "cached",
    "clean_models",
    "clean_networks",
    "close",
    "connect",
    "derive_demo",
    "disable",
    "find",
    "mint",
    "mint_demo",
    "public_hash",
    "rename",
    "revoke",
    "set_paused",
    "verify",
]

LOOK_UP_THREADS = 4
LOOK_UPS_WAITING_MAX = 1_000
# How often a look-up starts over because a change came in between.
LOOK_UP_TRIES = 3
PATTERNS_MAX = 200
PATTERN_CHARS_MAX = 200


class KeysUnavailable(Exception):
    """The database cannot be asked now: says nothing about the key."""


class InvalidScope(ValueError):
    """A restriction of a key that cannot be understood."""


class Options(TypedDict):
    """What a key may be restricted to."""

    allowed_models: NotRequired[Sequence[str]]
    allowed_ips: NotRequired[Sequence[str]]
    expires_at: NotRequired[dt.datetime | None]
    has_budget: NotRequired[bool]
    is_management: NotRequired[bool]
    purpose: NotRequired[ApiKey.Purpose]


_cache = Cache()


def connect(listener: changes.Listener) -> None:
    """Let the change listener forget what changed."""
    listener.subscribe(Change.Topic.KEY, _cache.drop_key)
    listener.subscribe(Change.Topic.ACCOUNT, _cache.drop_account)


def cached(text: str, *, source_ip: str, now: float) -> Caller | None:
    """Return the caller of a warm key, None for a cold one; no I/O.

    `now` is Unix time in seconds. Raises: KeyRefused; KeysUnavailable without a pepper.
    """
    try:
        entry = _cache.get(keytext.peppers().digest(text), now)
    except NoPepper as error:
        raise KeysUnavailable from error
    except UnicodeEncodeError as error:
        raise KeyRefused("malformed") from error
    if entry is not None:
        return entry.admit(source_ip, now)
    # Only well-formed texts ever get into the cache, so the checksum waits until here.
    if not keytext.is_well_formed(text):
        raise KeyRefused("malformed")
    return None


async def verify(text: str, *, source_ip: str, now: float) -> Caller:
    """Return the caller of a key, asking the database once when it is cold.

    Raises: KeyRefused; KeysUnavailable when the database cannot be asked.
    """
    caller = cached(text, source_ip=source_ip, now=now)
    if caller is not None:
        return caller
    digest = keytext.peppers().digest(text)
    entry = await _look_ups.ask(digest, text, now)
    if entry is None:
        raise KeyRefused("unknown")
    return entry.admit(source_ip, now)


class _LookUps:
    """Reads keys on a few threads; one read serves all who wait for the same key."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._connections: list[BaseDatabaseWrapper] = []
        self._running: dict[bytes, asyncio.Future[Entry | None]] = {}

    async def ask(self, digest: bytes, text: str, now: float) -> Entry | None:
        """Return a key's entry, None if there is no such key. Raises: KeysUnavailable."""
        running = self._running.get(digest)
        loop = asyncio.get_running_loop()
        if running is None or running.get_loop() is not loop:
            if len(self._running) >= LOOK_UPS_WAITING_MAX:
                raise KeysUnavailable
            if self._pool is None:
                self._pool = ThreadPoolExecutor(
                    LOOK_UP_THREADS, thread_name_prefix="keys", initializer=self._register
                )
            running = loop.run_in_executor(self._pool, _look_up, digest, text, now)
            self._running[digest] = running
            running.add_done_callback(lambda _: self._running.pop(digest, None))
        # Shielded: one caller who hangs up must not end the read of the others.
        return await asyncio.shield(running)

    def _register(self) -> None:
        # Not the proxy `connection`, which is another one on each thread: close() runs elsewhere.
        own = connections[DEFAULT_DB_ALIAS]
        own.inc_thread_sharing()
        self._connections.append(own)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        while self._connections:
            self._connections.pop().close()


_look_ups = _LookUps()


def close() -> None:
    """End the look-up threads and their database connections (they come back on demand)."""
    _look_ups.close()
    _cache.clear()


def _look_up(digest: bytes, text: str, now: float) -> Entry | None:
    for _ in range(LOOK_UP_TRIES):
        generation = _cache.generation
        key = _read(text)
        if key is None:
            _cache.put_unknown(digest, until=now + UNKNOWN_TTL_S)
            return None
        entry = Entry(key, now=now)
        if _cache.put(digest, entry, generation=generation):
            return entry
    # Changes pour in: this answer is as new as the latest read; it is just not kept.
    return entry


def _read(text: str) -> ApiKey | None:
    try:
        return find(text)
    except Error:
        # A connection may have died while it was idle: try once on a new one.
        connection.close()
    try:
        return find(text)
    except Error as error:
        connection.close()
        raise KeysUnavailable from error


def find(text: str) -> ApiKey | None:
    """Return the stored key of a text, whatever its state; reads the database."""
    digests = keytext.peppers().digests(text)
    rows = ApiKey.objects.select_related("account").filter(digest__in=list(digests.values()))
    for key in rows:
        expected = digests.get(key.pepper_version)
        if expected is not None and hmac.compare_digest(expected, bytes(key.digest)):
            return key
    return None


def mint(
    *, account: Account, created_by: User | None, name: str, **options: Unpack[Options]
) -> tuple[ApiKey, str]:
    """Make a key and return it with its text, which is known only now.

    Raises: NoPepper; InvalidScope.
    """
    text = keytext.draw()
    key = ApiKey(account=account, created_by=created_by, name=name, **_scope(options))
    _store(key, text)
    return key, text


def mint_demo(*, account: Account, name: str) -> tuple[ApiKey, str]:
    """Return the demo key of this deployment and its text; it is made when missing."""
    text = derive_demo()
    key = find(text)
    if key is None:
        key = ApiKey(account=account, name=name, is_demo=True, allowed_models=["demo/*"])
        _store(key, text)
    return key, text


def _store(key: ApiKey, text: str) -> None:
    peppers = keytext.peppers()
    key.digest = peppers.digest(text)
    # digest() has raised NoPepper when there is no newest version.
    key.pepper_version = peppers.newest or 0
    key.last_four = text[-4:]
    key.save(force_insert=True)


def _scope(options: Options) -> dict[str, Any]:
    return {
        "allowed_models": clean_models(options.get("allowed_models", ())),
        "allowed_ips": clean_networks(options.get("allowed_ips", ())),
        "expires_at": options.get("expires_at"),
        "has_budget": options.get("has_budget", False),
        "is_management": options.get("is_management", False),
        "purpose": options.get("purpose", ApiKey.Purpose.API),
    }


def disable(key: ApiKey) -> bool:
    """Disable a key for good, on every worker within a second; False if it was already."""
    with transaction.atomic():
        rows = ApiKey.objects.filter(pk=key.pk, disabled_at=None)
        if not rows.update(disabled_at=timezone.now()):
            return False
        changes.announce(Change.Topic.KEY, str(key.pk))
    key.refresh_from_db(fields=["disabled_at"])
    return True


def set_paused(key: ApiKey, *, is_paused: bool) -> bool:
    """Refuse a key, or take it again, on every worker within a second; False if it was so."""
    with transaction.atomic():
        rows = ApiKey.objects.filter(pk=key.pk, paused_at__isnull=is_paused)
        if not rows.update(paused_at=timezone.now() if is_paused else None):
            return False
        changes.announce(Change.Topic.KEY, str(key.pk))
    key.refresh_from_db(fields=["paused_at"])
    return True


def rename(key: ApiKey, *, name: str) -> None:
    """Give a key another name; workers need not hear of it."""
    ApiKey.objects.filter(pk=key.pk).update(name=name)
    key.name = name


def public_hash(digest: bytes) -> str:
    """Return the name by which the API tells keys apart; it verifies nothing."""
    return hashlib.sha256(b"public:" + digest).hexdigest()


def clean_models(patterns: Sequence[str]) -> list[str]:
    """Return patterns over model slugs as they are stored. Raises: InvalidScope."""
    found = [pattern.strip() for pattern in patterns if pattern.strip()]
    if len(found) > PATTERNS_MAX:
        raise InvalidScope("too many models")
    for pattern in found:
        if (
            "*" in pattern[:-1]
            or any(char.isspace() for char in pattern)
            or len(pattern) > PATTERN_CHARS_MAX
        ):
            raise InvalidScope("a model pattern is a slug, or a prefix that ends in *")
    return found


def clean_networks(networks: Sequence[str]) -> list[str]:
    """Return CIDR ranges as they are stored; a lone address is itself. Raises: InvalidScope."""
    found = [text.strip() for text in networks if text.strip()]
    if len(found) > PATTERNS_MAX:
        raise InvalidScope("too many address ranges")
    try:
        return [str(ipaddress.ip_network(text, strict=False)) for text in found]
    except ValueError as error:
        raise InvalidScope("an address range is CIDR, like 192.0.2.0/24") from error


revoke = disable
