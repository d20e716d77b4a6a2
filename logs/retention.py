"""Forgetting: request logs older than the window are destroyed, not hidden."""

import datetime as dt
import re

from django.conf import settings
from django.db import connection

from accounts.timeids import DAY, bound, midnight
from logs.models import LabelHour, RequestLog

DELETE_ROWS_MAX = 5_000
_DAY_SUFFIX = re.compile(r"_(\d{8})")


def forget(*, today: dt.date) -> int:
    """Destroy what is older than LOG_RETENTION_DAYS whole days (UTC); return how much.

    On PostgreSQL whole partitions are dropped, which leaves nothing in the table's files; the
    default one, and other databases, lose rows, a bounded number in each call. Sums by end user go
    with the log: their label stands for a person. Returns partitions and rows together.
    Raises: DatabaseError.
    """
    first_kept = today - settings.LOG_RETENTION_DAYS * DAY
    dropped = _drop_partitions(first_kept) if connection.vendor == "postgresql" else 0
    return dropped + _delete_rows(first_kept) + _delete_end_users(first_kept)


def _drop_partitions(first_kept: dt.date) -> int:
    table = RequestLog._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass",
            [table],
        )
        names = [name.strip('"') for (name,) in cursor.fetchall()]
        old = [name for name in names if (day := _day(name, table)) and day < first_kept]
        for name in old:
            cursor.execute(f'DROP TABLE IF EXISTS "{name}"')
    return len(old)


def _day(name: str, table: str) -> dt.date | None:
    found = _DAY_SUFFIX.fullmatch(name.removeprefix(table))
    if found is None:
        return None
    return dt.datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=dt.UTC).date()


def _delete_rows(first_kept: dt.date) -> int:
    old = RequestLog.objects.filter(request_id__lt=bound(first_kept)).order_by("request_id")
    ids = list(old.values_list("request_id", flat=True)[:DELETE_ROWS_MAX])
    if not ids:
        return 0
    RequestLog.objects.filter(request_id__lte=ids[-1]).delete()
    return len(ids)


def _delete_end_users(first_kept: dt.date) -> int:
    old = LabelHour.objects.filter(
        kind=LabelHour.Kind.END_USER, hour__lt=midnight(first_kept)
    ).order_by("hour")
    ids = list(old.values_list("pk", flat=True)[:DELETE_ROWS_MAX])
    return LabelHour.objects.filter(pk__in=ids).delete()[0] if ids else 0
