"""Which devices and networks are known of users and keys; what is new is told (accounts.alerts)."""

import datetime as dt
import functools
import threading
from collections.abc import Iterable
from typing import Final

from django.db import transaction

from accounts import persons
from accounts.models import ApiKey, KeyNetwork, KnownDevice, User

# A user with more is one whose browser tells a new name each time: the oldest are forgotten.
DEVICES_MAX: Final = 100
# Pairs of key and network that one process remembers to have written.
REMEMBERED_MAX: Final = 100_000


def is_new_device(user: User, *, family: str, address: str, now: dt.datetime) -> bytes | None:
    """Note a log-in; return the device's digest when others are known, and this one is not.

    Raises: persons' NoPepper.
    """
    digest = persons.device_digest(family, address)
    mine = KnownDevice.objects.filter(user=user)
    with transaction.atomic():
        has_others = mine.exclude(digest=digest).exists()
        row, is_new = KnownDevice.objects.get_or_create(
            user=user, digest=digest, defaults={"seen_at": now}
        )
        if not is_new:
            KnownDevice.objects.filter(pk=row.pk).update(seen_at=now)
        elif mine.count() > DEVICES_MAX:
            oldest = list(mine.order_by("seen_at").values_list("pk", flat=True)[:1])
            KnownDevice.objects.filter(pk__in=oldest).delete()
    return digest if is_new and has_others else None


class Notebook:
    """Writes down from which networks keys are used: once for each pair, off the hot path."""

    def __init__(self) -> None:
        self._written: set[tuple[int, bytes]] = set()
        self._lock = threading.Lock()

    def note(self, uses: Iterable[tuple[int, str]], *, now: dt.datetime) -> int:
        """Note keys' ids with addresses; return how many pairs were asked of the database.

        Raises: django.db.Error; persons' NoPepper. What was not written is noted next time.
        """
        pairs = {(key_id, digest_of(address)) for key_id, address in uses}
        with self._lock:
            fresh = pairs - self._written
        if not fresh:
            return 0
        ids = ApiKey.objects.filter(pk__in={key_id for key_id, _digest in fresh})
        known = set(ids.values_list("pk", flat=True))
        KeyNetwork.objects.bulk_create(
            [
                KeyNetwork(api_key_id=key_id, digest=digest, seen_at=now)
                for key_id, digest in sorted(fresh)
                if key_id in known
            ],
            ignore_conflicts=True,
        )
        with self._lock:
            if len(self._written) + len(fresh) > REMEMBERED_MAX:
                self._written.clear()
            self._written |= fresh
        return len(fresh)


@functools.lru_cache(maxsize=10_000)
def digest_of(address: str) -> bytes:
    """Return the digest of an address's network, from memory where it was asked lately."""
    return persons.network_digest(address)
