"""Names of accounts that live for one day (UTC) and mean nothing once their key is destroyed.

Each account has a random key for each day on which it called. What the archive knows of it is an
HMAC under that key, so two days of one account cannot be joined by anybody without our database,
and by nobody at all when the day's keys are gone: after the window or the end of a legal hold, or
at erasure (ADR 33).
"""

import datetime as dt
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Collection, Iterable

from logs.models import ArchiveKey

KEY_BYTES = 32
NAME_BYTES = 16
NOBODY = 0  # requests that no account was found for
GONE = b""  # a destroyed key: its account is nobody on that day, and stays so
_GROUP = 1_000


class Day:
    """The pseudonyms of one day; keys are made as they are needed."""

    def __init__(self, day: dt.date) -> None:
        self._day = day
        self._keys = dict(
            ArchiveKey.objects.filter(day=day).values_list("account_id", "secret").iterator()
        )

    def learn(self, account_ids: Iterable[int | None]) -> None:
        """Make the keys that are missing, each once whoever else does so now."""
        wanted = {NOBODY, *(account_id or NOBODY for account_id in account_ids)}
        missing = wanted - self._keys.keys()
        if not missing:
            return
        ArchiveKey.objects.bulk_create(
            [
                ArchiveKey(account_id=each, day=self._day, secret=secrets.token_bytes(KEY_BYTES))
                for each in sorted(missing)
            ],
            ignore_conflicts=True,
            batch_size=_GROUP,
        )
        rows = ArchiveKey.objects.filter(day=self._day)
        listed = sorted(missing)
        for at in range(0, len(listed), _GROUP):
            group = rows.filter(account_id__in=listed[at : at + _GROUP])
            self._keys.update(group.values_list("account_id", "secret"))

    def account(self, account_id: int | None) -> str:
        """Return the account's name of the day; "" for nobody. It must be learned."""
        key = self._keys[account_id or NOBODY]
        return _name(key, b"account") if account_id and key else ""

    def row(self, account_id: int | None, request_id: uuid.UUID) -> str:
        """Return the name of a request: its own id would lead to the account for ever."""
        return _name(self._keys[account_id or NOBODY] or self._keys[NOBODY], request_id.bytes)


def of(account_ids: Collection[int]) -> list[str]:
    """Return all names of accounts that can still be made."""
    keys = ArchiveKey.objects.filter(account_id__in=account_ids).exclude(secret=GONE)
    return [_name(key, b"account") for key in keys.values_list("secret", flat=True)]


def destroy(account_id: int, *, days: Iterable[dt.date]) -> int:
    """Destroy an account's keys, and let none be made for these days; return how many there were.

    Rows that the log still holds may be sent once more: as nobody's.
    """
    keys = ArchiveKey.objects.filter(account_id=account_id)
    destroyed = keys.exclude(secret=GONE).update(secret=GONE)
    ArchiveKey.objects.bulk_create(
        [ArchiveKey(account_id=account_id, day=day, secret=GONE) for day in days],
        ignore_conflicts=True,
    )
    # A key that was made between the two.
    return destroyed + keys.exclude(secret=GONE).update(secret=GONE)


def destroy_before(day: dt.date, *, held: Collection[int]) -> int:
    """Destroy the keys of the days before, but for held accounts; return how many."""
    return ArchiveKey.objects.filter(day__lt=day).exclude(account_id__in=held).delete()[0]


def _name(key: bytes | memoryview, of_what: bytes) -> str:
    return hmac.digest(bytes(key), of_what, hashlib.sha256)[:NAME_BYTES].hex()
