"""Which devices and networks are known of users and keys; what is new is told (accounts.alerts)."""

import datetime as dt
import functools
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from accounts import geography, persons
from accounts.models import ApiKey, KeyNetwork, KnownDevice, User

# A user with more is one whose browser tells a new name each time: the oldest are forgotten.
DEVICES_MAX: Final = 100
# Pairs of key and network that one process remembers to have written.
REMEMBERED_MAX: Final = 100_000
_Pair = tuple[int, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevice:
    """A device in a network from which a user never logged in before."""

    digest: bytes
    # Its country's code, "" if unknown, and whether the user was in others until now.
    country: str
    is_abroad: bool


def is_abroad(country: str, known: Collection[str]) -> bool:
    """Tell whether a country is none of those that are known; unknown ones ("") prove nothing."""
    return bool(country) and any(known) and country not in known


def note_device(user: User, *, family: str, address: str, now: dt.datetime) -> NewDevice | None:
    """Note a log-in; return its device when others are known, and this one is not.

    Raises: persons' NoPepper.
    """
    digest, country = persons.device_digest(family, address), geography.country(address)
    mine = KnownDevice.objects.filter(user=user)
    with transaction.atomic():
        known = list(mine.exclude(digest=digest).values_list("country", flat=True))
        row, is_new = KnownDevice.objects.get_or_create(
            user=user, digest=digest, defaults={"seen_at": now, "country": country}
        )
        if not is_new:
            row.seen_at, row.country = now, country or row.country
            row.save(update_fields=["seen_at", "country"])
        elif len(known) >= DEVICES_MAX:
            oldest = list(mine.order_by("seen_at").values_list("pk", flat=True)[:1])
            KnownDevice.objects.filter(pk__in=oldest).delete()
    if not (is_new and known):
        return None
    return NewDevice(digest=digest, country=country, is_abroad=is_abroad(country, known))


class Notebook:
    """Writes down from which networks keys are used: once for each pair, off the hot path."""

    def __init__(self) -> None:
        self._written: set[_Pair] = set()
        self._lock = threading.Lock()

    def note(self, uses: Iterable[tuple[int, str]], *, now: dt.datetime) -> int:
        """Note keys' ids with addresses; return how many pairs were asked of the database.

        Raises: django.db.Error; persons' NoPepper. What was not written is noted next time.
        """
        places = {(key_id, digest_of(address)): address for key_id, address in uses}
        with self._lock:
            fresh = places.keys() - self._written
        if not fresh:
            return 0
        ids = ApiKey.objects.filter(pk__in={key_id for key_id, _digest in fresh})
        known = set(ids.values_list("pk", flat=True))
        rows = [
            KeyNetwork(
                api_key_id=key_id,
                digest=digest,
                country=geography.country(places[key_id, digest]),
                seen_at=now,
            )
            for key_id, digest in sorted(fresh)
            if key_id in known
        ]
        KeyNetwork.objects.bulk_create(rows, ignore_conflicts=True)
        _fill_in(rows)
        with self._lock:
            if len(self._written) + len(fresh) > REMEMBERED_MAX:
                self._written.clear()
            self._written |= fresh
        return len(fresh)


def _fill_in(rows: Iterable[KeyNetwork]) -> None:
    """Give their country to networks that were written before one could be known."""
    digests: dict[str, set[bytes]] = {}
    ids = set()
    for row in rows:
        if row.country:
            digests.setdefault(row.country, set()).add(bytes(row.digest))
            ids.add(row.api_key_id)
    for country, found in digests.items():
        blank = KeyNetwork.objects.filter(api_key__in=ids, digest__in=found, country="")
        blank.update(country=country)


@functools.lru_cache(maxsize=10_000)
def digest_of(address: str) -> bytes:
    """Return the digest of an address's network, from memory where it was asked lately."""
    return persons.network_digest(address)
