"""Forgetting: logs older than their days are destroyed, not hidden.

On PostgreSQL whole partitions are dropped, which leaves nothing in the table's files; the default
one, and other databases, lose rows in steps.
"""

import datetime as dt
import re

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from accounts.expiry import Expiry
from accounts.timeids import DAY, bound, moment
from logs import aggregates, holds
from logs.models import LabelHour, RequestLog, RetentionRun, SecurityEntry
from logs.retention_rules import Record

DELETE_ROWS_MAX = 5_000
_DAY_SUFFIX = re.compile(r"_(\d{8})")

EXPIRIES = (
    # Their label stands for a person; tags stay as long as the account's own sums.
    Expiry(
        record=Record.END_USER_LABELS,
        rows=lambda before: LabelHour.objects.filter(kind=LabelHour.Kind.END_USER, hour__lt=before),
        account="account_id",
    ),
    Expiry(
        record=Record.AUDIT,
        rows=lambda before: RetentionRun.objects.filter(started_at__lt=before),
    ),
)


def requests_due(first_kept: dt.date) -> int:
    """Count the rows of the request log whose days are over."""
    return RequestLog.objects.filter(request_id__lt=bound(first_kept)).count()


def requests_held(first_kept: dt.date, *, held: frozenset[int]) -> int:
    """Count those of them that would be copied aside."""
    rows = RequestLog.objects.filter(request_id__lt=bound(first_kept), account_id__in=held)
    return rows.count() if held else 0


def forget_requests(first_kept: dt.date, *, held: frozenset[int]) -> tuple[int, int]:
    """Destroy the oldest day that is over, or a step of it; return rows gone, and rows held.

    Before, its anonymous sums are kept and the rows of held accounts copied aside.
    Locks: on PostgreSQL the log itself, for an instant; gives up after the connection's
    lock_timeout. Raises: DatabaseError.
    """
    partition = _oldest_partition(RequestLog._meta.db_table, before=first_kept)
    if partition is None:
        return _delete_requests(first_kept, held=held)
    name, day = partition
    rows = _prepare(name, day)
    with transaction.atomic():
        kept = holds.keep(before=bound(day + DAY), held=held)
        _execute(f'DROP TABLE "{name}"')
    return rows, kept


def _prepare(name: str, day: dt.date) -> int:
    """Count and sum a partition before it goes: no lock that a writer waits for."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(f'SELECT count(*) FROM "{name}"')  # noqa: S608 - from the catalog
        rows = int(cursor.fetchone()[0])
        if rows:
            aggregates.keep(day)
    return rows


def _delete_requests(first_kept: dt.date, *, held: frozenset[int]) -> tuple[int, int]:
    old = RequestLog.objects.filter(request_id__lt=bound(first_kept)).order_by("request_id")
    first = old.values_list("request_id", flat=True).first()
    if first is None:
        return 0, 0
    day = moment(first).date()
    aggregates.keep(day)
    ids = list(
        old.filter(request_id__lt=bound(day + DAY)).values_list("request_id", flat=True)[
            :DELETE_ROWS_MAX
        ]
    )
    with transaction.atomic():
        kept = holds.keep(before=bound(day + DAY), held=held)
        RequestLog.objects.filter(request_id__lte=ids[-1]).delete()
    return len(ids), kept


def security_due(first_kept: dt.date, *, held: frozenset[int]) -> int:
    """Count the rows of the security log whose days are over and which no hold keeps."""
    return _over(first_kept, held=held).count()


def security_held(first_kept: dt.date, *, held: frozenset[int]) -> int:
    """Count the rows of the security log that only holds keep."""
    rows = SecurityEntry.objects.filter(id__lt=bound(first_kept), account_id__in=held)
    return rows.count() if held else 0


def forget_security(first_kept: dt.date, *, held: frozenset[int]) -> int:
    """Destroy the oldest day of the security log that is over, or a step of it; return rows gone.

    Rows of held accounts move into the default partition, where they wait for their hold's end.
    Locks and raises: as forget_requests().
    """
    table = SecurityEntry._meta.db_table
    partition = _oldest_partition(table, before=first_kept)
    if partition is None:
        ids = list(_over(first_kept, held=held).values_list("id", flat=True)[:DELETE_ROWS_MAX])
        SecurityEntry.objects.filter(id__in=ids).delete()
        return len(ids)
    name, _ = partition
    whose = ", ".join(map(str, sorted(held))) or "NULL"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f'ALTER TABLE "{table}" DETACH PARTITION "{name}"')
        cursor.execute(f'SELECT count(*) FROM "{name}"')  # noqa: S608 - from the catalog
        rows = int(cursor.fetchone()[0])
        cursor.execute(
            f'INSERT INTO "{table}" SELECT * FROM "{name}" '  # noqa: S608 - numbers of ours
            f"WHERE account_id IN ({whose})"
        )
        kept = int(cursor.rowcount)
        cursor.execute(f'DROP TABLE "{name}"')
    return rows - kept


def _over(first_kept: dt.date, *, held: frozenset[int]) -> QuerySet[SecurityEntry]:
    free = Q(account_id__isnull=True) | ~Q(account_id__in=held)
    rows = SecurityEntry.objects.filter(id__lt=bound(first_kept))
    return rows.filter(free).order_by("id")


def _oldest_partition(table: str, *, before: dt.date) -> tuple[str, dt.date] | None:
    """Return the name and day of a table's oldest partition before a day, if there is one."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass",
            [table],
        )
        names = [name.strip('"') for (name,) in cursor.fetchall()]
    days = ((day, name) for name in names if (day := _day(name, table)) and day < before)
    oldest = min(days, default=None)
    return (oldest[1], oldest[0]) if oldest else None


def partitions_due(table: str, *, before: dt.date) -> bool:
    """Tell whether a table has partitions of days that are over, with rows or without."""
    return _oldest_partition(table, before=before) is not None


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _day(name: str, table: str) -> dt.date | None:
    found = _DAY_SUFFIX.fullmatch(name.removeprefix(table))
    if found is None:
        return None
    return dt.datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=dt.UTC).date()
