"""Daily partitions of the logs on PostgreSQL: made a week ahead, never missed."""

import datetime as dt
import logging

from django.db import DatabaseError, connection, transaction

from accounts.timeids import DAY, bound, partition_sql
from logs import removal, security_log, service_hours, sums
from logs.models import RequestLog, SecurityEntry

logger = logging.getLogger(__name__)

DAYS_AHEAD = 7
_EVERY = dt.timedelta(hours=1)
_AGAIN = dt.timedelta(minutes=1)
# A task ends old records each hour. Where none does (no Redis), the recorder does, in few steps:
# rows wait meanwhile.
_WITHOUT_TASK = dt.timedelta(hours=2)
_STEPS_MAX = 20
# One process at a time makes partitions; any constant of our own serves as the lock's number.
_LOCK = 0x6C6F_6773


def ensure(*, today: dt.date) -> int:
    """Make the partitions of today and the week ahead that are missing; return how many.

    Rows of such a day that the default partition caught (after a long outage) move into it.
    Locks: the parent, for an instant; gives up after the connection's lock_timeout.
    Raises: DatabaseError. On other databases there is nothing to do.
    """
    if connection.vendor != "postgresql":
        return 0
    tables = [RequestLog._meta.db_table]
    if security_log.is_on():
        tables.append(SecurityEntry._meta.db_table)
    days = [today + n * DAY for n in range(DAYS_AHEAD + 1)]
    missing = [(table, day) for table in tables for day in days if not _exists(table, day)]
    for table, day in missing:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            if not _exists(table, day):
                _make(table, day)
    return len(missing)


def _exists(table: str, day: dt.date) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{table}_{day:%Y%m%d}"])
        return bool(cursor.fetchone()[0])


def _make(table: str, day: dt.date) -> None:
    """Caller holds the advisory lock in a transaction."""
    ends = [str(bound(day)), str(bound(day + DAY))]
    key = "request_id" if table == RequestLog._meta.db_table else "id"
    caught = f'"{table}_default" WHERE {key} >= %s AND {key} < %s'
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT FROM {caught})", ends)  # noqa: S608
        if not cursor.fetchone()[0]:
            cursor.execute(partition_sql(table, day))
            return
        part = f'"{table}_{day:%Y%m%d}"'
        cursor.execute(f'LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE')
        cursor.execute(f'CREATE TABLE {part} (LIKE "{table}" INCLUDING ALL)')
        cursor.execute(
            f"WITH moved AS (DELETE FROM {caught} RETURNING *) "  # noqa: S608
            f"INSERT INTO {part} SELECT * FROM moved",
            ends,
        )
        cursor.execute(
            f'ALTER TABLE "{table}" ATTACH PARTITION {part} '
            f"FOR VALUES FROM ('{ends[0]}') TO ('{ends[1]}')"
        )


class Upkeep:
    """Makes partitions and sums each hour, folds sums each day; called often."""

    def __init__(self) -> None:
        self._due = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._folded_on: dt.date | None = None

    def run(self, *, now: dt.datetime) -> None:
        """Do what is due when it is time; a failure is logged and tried again."""
        if now < self._due:
            return
        try:
            made = ensure(today=now.date())
            ended = removal.run_due(
                now=now, actor="recorder", every=_WITHOUT_TASK, steps_max=_STEPS_MAX
            )
            summed = service_hours.close_hours(now=now)
            if self._folded_on != now.date():
                sums.fold(today=now.date())
                self._folded_on = now.date()
        except DatabaseError as error:
            self._due = now + _AGAIN
            logger.warning("log partitions not made", extra={"error": type(error).__name__})
            connection.close()
            return
        self._due = now + _EVERY
        if made:
            logger.info("log partitions made", extra={"partitions": made})
        is_left = ended is not None and not ended.is_complete
        if is_left or summed == service_hours.HOURS_PER_RUN_MAX:
            # A long backlog goes in steps, so that rows being written never wait for it.
            self._due = now + _AGAIN
