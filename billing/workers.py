"""The one row that carries a gateway worker's life, on the database's clock."""

import uuid
from dataclasses import dataclass

from django.db import connection

from billing import store
from billing.models import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A worker's row as a sweeper saw it."""

    boot: uuid.UUID
    beat: int
    is_expired: bool


def _key(boot: uuid.UUID) -> uuid.UUID | str:
    return boot if connection.features.has_native_uuid_field else boot.hex


def register(boot: uuid.UUID, *, ttl_s: int) -> None:
    """Insert the row of a new life; a boot id is never used twice."""
    sql = store.dialect().EXPIRES_IN_S
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO billing_worker (boot, expires_at, beat) VALUES (%s, {sql}, 0)",  # noqa: S608
            [_key(boot), ttl_s],
        )


def renew(boot: uuid.UUID, *, ttl_s: int) -> bool:
    """Prolong a life; False when it was ended by a sweeper: it never comes back.

    A row that merely expired is prolonged: after an outage of the database nobody has ended it.
    """
    sql = store.dialect().EXPIRES_IN_S
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE billing_worker SET expires_at = {sql}, beat = beat + 1 WHERE boot = %s",  # noqa: S608
            [ttl_s, _key(boot)],
        )
        return bool(cursor.rowcount)


def remove(boot: uuid.UUID) -> None:
    """End one's own life: what it leaves behind is anybody's to reclaim at once."""
    Worker.objects.filter(boot=boot).delete()


def exists(boot: uuid.UUID) -> bool:
    """Tell whether a worker's row stands, expired or not."""
    return Worker.objects.filter(boot=boot).exists()


def sightings() -> list[Sighting]:
    """Return all rows."""
    expired = store.dialect().EXPIRED
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT boot, beat, CASE WHEN {expired} THEN 1 ELSE 0 END FROM billing_worker"  # noqa: S608
        )
        return [
            Sighting(
                boot=boot if isinstance(boot, uuid.UUID) else uuid.UUID(boot),
                beat=beat,
                is_expired=bool(is_expired),
            )
            for boot, beat, is_expired in cursor.fetchall()
        ]


def condemn(seen: Sighting) -> bool:
    """End another worker's life, unless it renewed it since; False when it did.

    One statement: a renewal comes either before it, and then the beat differs, or finds no row.
    """
    expired = store.dialect().EXPIRED
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM billing_worker WHERE boot = %s AND beat = %s AND {expired}",  # noqa: S608
            [_key(seen.boot), seen.beat],
        )
        return bool(cursor.rowcount)


def is_alive(boot: uuid.UUID) -> bool:
    """Tell whether a worker may take credit. Locks its row against condemnation until commit."""
    words = store.dialect()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM billing_worker WHERE boot = %s AND {words.UNEXPIRED}{words.FOR_SHARE}",  # noqa: S608
            [_key(boot)],
        )
        return cursor.fetchone() is not None
