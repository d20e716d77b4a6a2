"""Mint, verify and revoke API keys.

A key is `bnr_live_`, 30 random base62 characters and 6 that carry the CRC-32 of all before
them. Only an HMAC of it is stored, under a pepper that is not in the database; the cache of
a worker is keyed by that whole digest. Whoever reads the database cannot call the API.
"""

import asyncio
import datetime as dt
import hashlib
import hmac
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Unpack

from django.db import DEFAULT_DB_ALIAS, Error, IntegrityError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from accounts import changes, keytext, scopes
from accounts.callers import UNKNOWN_TTL_S, Cache, Caller, Entry, KeyRefused
from accounts.keytext import NoPepper, derive_demo
from accounts.models import Account, ApiKey, Change, User
from accounts.scopes import InvalidScope, Options

__all__ = [
    "AlreadyMade",
    "AlreadyRotated",
    "Caller",
    "InvalidScope",
    "KeyHeld",
    "KeyRefused",
    "KeysUnavailable",
    "NoPepper",
    "NotActive",
    "cached",
    "change",
    "close",
    "connect",
    "delete",
    "derive_demo",
    "disable",
    "find",
    "mint",
    "mint_demo",
    "public_hash",
    "rename",
    "revoke",
    "rotate",
    "set_debug",
    "set_paused",
    "verify",
]

LOOK_UP_THREADS = 4
LOOK_UPS_WAITING_MAX = 1_000
# How often a look-up starts over because a change came in between.
LOOK_UP_TRIES = 3
# What a key hands on to the one that takes its place.
_ROTATED = (
    "account",
    "created_by",
    "name",
    "is_demo",
    "is_management",
    "allowed_models",
    "allowed_ips",
    "allowed_jurisdictions",
    "requests_per_minute_max",
    "cost_center",
    "has_budget",
    "expires_at",
)


class KeysUnavailable(Exception):
    """The database cannot be asked now: says nothing about the key."""


class AlreadyMade(Exception):
    """The form that asks for a key has made one: `key`, whose text was shown then."""

    def __init__(self, key: ApiKey) -> None:
        super().__init__(str(key.pk))
        self.key = key


class AlreadyRotated(AlreadyMade):
    """Another key has taken this one's place: `key`."""


class NotActive(Exception):
    """The key does not work now, so that nothing can take its place."""


class KeyHeld(Exception):
    """Staff paused the key after a report of abuse: its owners cannot take it up again."""


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


def is_known(text: str) -> bool:
    """True when a key worked here before, even if it must be read again; no I/O.

    Raises: KeysUnavailable without a pepper.
    """
    try:
        return _cache.knows(keytext.peppers().digest(text))
    except NoPepper as error:
        raise KeysUnavailable from error


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

    Raises: NoPepper; InvalidScope; AlreadyMade when a key of the same `form_id` stands.
    """
    text = keytext.draw()
    key = ApiKey(account=account, created_by=created_by, name=name, **scopes.cleaned(options))
    try:
        with transaction.atomic():
            _store(key, text)
    except IntegrityError as error:
        made = ApiKey.objects.filter(form_id=key.form_id, account=account).first()
        if key.form_id is None or made is None:
            raise
        raise AlreadyMade(made) from error
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


def change(key: ApiKey, **options: Unpack[Options]) -> None:
    """Change what a key may do, on every worker within a second. Raises: InvalidScope."""
    scope = scopes.cleaned(options)
    with transaction.atomic():
        ApiKey.objects.filter(pk=key.pk).update(**scope)
        changes.announce(Change.Topic.KEY, str(key.pk))
    key.refresh_from_db(fields=list(scope))


def rotate(key: ApiKey, *, overlap: dt.timedelta, now: dt.datetime) -> tuple[ApiKey, str]:
    """Make a key that takes another's place and draws on the same limits.

    The older one works until the overlap ends, or its own end if that comes first. Return the
    new key and its text, which is known only now.
    Locks: the key. Raises: AlreadyRotated; NotActive; NoPepper.
    """
    with transaction.atomic():
        old = ApiKey.objects.select_for_update().get(pk=key.pk)
        newer = old.replaced_by.filter(disabled_at=None).first()
        if newer is not None:
            raise AlreadyRotated(newer)
        is_over = old.expires_at is not None and old.expires_at <= now
        if is_over or old.disabled_at is not None or old.paused_at is not None:
            raise NotActive(str(old.pk))
        text = keytext.draw()
        new = ApiKey(
            limits_of_id=old.limits_key_id,
            replaces=old,
            **{name: getattr(old, name) for name in _ROTATED},
        )
        _store(new, text)
        ends_at = min(now + overlap, old.expires_at or dt.datetime.max.replace(tzinfo=dt.UTC))
        ApiKey.objects.filter(pk=old.pk).update(expires_at=ends_at)
        changes.announce(Change.Topic.KEY, str(old.pk))
    key.refresh_from_db()
    return new, text


def delete(key: ApiKey) -> bool:
    """Disable a key for good and take it off the lists; False if that was done already.

    Its row and its requests stay. Workers hear of it within a second.
    """
    with transaction.atomic():
        disable(key)
        rows = ApiKey.objects.filter(pk=key.pk, deleted_at=None)
        is_done = bool(rows.update(deleted_at=timezone.now()))
    key.refresh_from_db(fields=["disabled_at", "deleted_at"])
    return is_done


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
    """Refuse a key, or take it again, on every worker within a second; False if it was so.

    Raises: KeyHeld.
    """
    with transaction.atomic():
        if not is_paused and key.takedowns.filter(decision="pause_key", lifted_at=None).exists():
            raise KeyHeld(str(key.pk))
        rows = ApiKey.objects.filter(pk=key.pk, paused_at__isnull=is_paused)
        if not rows.update(paused_at=timezone.now() if is_paused else None):
            return False
        changes.announce(Change.Topic.KEY, str(key.pk))
    key.refresh_from_db(fields=["paused_at"])
    return True


def set_debug(key_id: int, *, session: uuid.UUID | None, until: dt.datetime | None) -> None:
    """Say which debug session keeps what a key says, or that none does; heard within a second."""
    with transaction.atomic():
        ApiKey.objects.filter(pk=key_id).update(debug_session=session, debug_until=until)
        changes.announce(Change.Topic.KEY, str(key_id))


def rename(key: ApiKey, *, name: str) -> None:
    """Give a key another name; workers need not hear of it."""
    ApiKey.objects.filter(pk=key.pk).update(name=name)
    key.name = name


def public_hash(digest: bytes) -> str:
    """Return the name by which the API tells keys apart; it verifies nothing."""
    return hashlib.sha256(b"public:" + digest).hexdigest()


revoke = disable
