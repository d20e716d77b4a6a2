"""Takes erased rows out of the database's own files, once their erasure is committed.

PostgreSQL only marks a row that is deleted or changed; VACUUM gives its place away without
overwriting it (measured: what had stood there was still in the file). So tables that hold what was
personal are written anew (VACUUM FULL), as long as that takes the lock for a moment only; larger
ones are vacuumed. SQLite overwrites rows itself; only its write-ahead log has to be emptied.
"""

import datetime as dt
import logging
import time
from collections.abc import Iterator
from typing import Final

from django.db import OperationalError, connection

from accounts import personal_data, traces
from accounts.models import Closure
from accounts.personal_data import Ending

logger = logging.getLogger(__name__)

# A table of this size is written anew in about half a second, during which nobody else reads it.
REWRITTEN_BYTES_MAX: Final = 64 << 20
# Older transactions still see what was erased, so that their rows would be kept.
PATIENCE_S, POLL_S = 5.0, 0.1


def clear(*, now: dt.datetime) -> int:
    """Clear the files after erasures; return of how many closures nothing is left in them.

    It may be repeated; what is in use now is done in a later call. No transaction is open.
    Raises: django.db.Error.
    """
    waiting = Closure.objects.filter(state=Closure.State.CLOSED, cleared_at=None)
    pks = list(waiting.values_list("pk", flat=True))
    if not pks or connection.in_atomic_block:
        return 0
    if connection.vendor == "postgresql":
        if not _is_seen_by_nobody() or not _rewrite():
            return 0
    else:
        traces.settle_pages()
    return Closure.objects.filter(pk__in=pks).update(cleared_at=now)


def _is_seen_by_nobody() -> bool:
    """Wait until every transaction has ended that began before now; False when one goes on.

    Those that read this database, and those that write in any database of the server: a table is
    written anew with all that the oldest of these might see.
    """
    deadline = time.monotonic() + PATIENCE_S
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp(), pg_snapshot_xmax(pg_current_snapshot())::text")
        since = cursor.fetchone()
        while True:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL AND xact_start < %s "
                "OR pg_snapshot_xmin(pg_current_snapshot()) < %s::xid8",
                since,
            )
            if cursor.fetchone() == (0,):
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)


def _rewrite() -> bool:
    """Clear every table that an erasure touches; False when one was in use.

    Nobody is held up by our waiting for a lock: the connection's lock_timeout ends it.
    """
    is_whole = True
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    try:
        for table, size in list(_parts()):
            how = "(FULL)" if size <= REWRITTEN_BYTES_MAX else ""
            try:
                with connection.cursor() as cursor:
                    cursor.execute(f"VACUUM {how} {table}")
            except OperationalError as error:  # somebody uses it
                logger.info("a table waits", extra={"table": table, "error": str(type(error))})
                is_whole = False
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
    return is_whole


def _parts() -> Iterator[tuple[str, int]]:
    """Yield the tables that an erasure empties, each partition for itself, with their sizes."""
    stores = [one for one in personal_data.stores() if one.ending is not Ending.KEPT]
    for table in sorted({store.model._meta.db_table for store in stores}):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relid::regclass::text, pg_total_relation_size(relid) "
                "FROM pg_partition_tree(%s) WHERE isleaf "
                "UNION ALL SELECT oid::regclass::text, pg_total_relation_size(oid) "
                "FROM pg_class WHERE oid = %s::regclass AND relkind = 'r'",
                [table, table],
            )
            yield from cursor.fetchall()
