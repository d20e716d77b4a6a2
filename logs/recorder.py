"""The only writer of request logs: a bounded queue, and one thread that empties it in groups."""

import dataclasses
import datetime as dt
import logging
import re
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    connection,
    connections,
    transaction,
)

from accounts import metrics, networks, persons
from accounts.keytext import NoPepper
from logs import partitions, security_log, sums
from logs.archive import watermarks
from logs.labels import is_label
from logs.models import RequestLog

logger = logging.getLogger(__name__)

ROWS_MAX = 10_000  # rows that may wait: about two minutes of a busy worker's outage, 10 MB
GROUP_ROWS_MAX = 1_000
LINGER_S = 0.1  # how long a row may wait for company; what a kill -9 may lose
BACKOFF_S_MAX = 5.0
STOP_TIMEOUT_S = 10.0
# No hour younger than this has left the archive's batches: the window is a day at least.
LATE_AFTER = dt.timedelta(days=1)

# What a database says about a row; every other error is about the database itself: rows wait.
_REFUSED = (DataError, IntegrityError, ValueError, TypeError, OverflowError)
_CODE = re.compile(r"[a-z0-9_]{1,32}").fullmatch
_DIGEST = re.compile(r"[0-9a-f]{32}").fullmatch
_ADDRESS = re.compile(r"[0-9a-fA-F.:]{2,45}").fullmatch


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of RequestLog, field by field. Catalogue ids only: never a name that a caller sent.

    A finish reason, error code or address that has not the form of ours becomes NULL, so that
    no free text from outside can be stored. Raises: ValueError for a surface that is none.
    """

    request_id: uuid.UUID
    created_at: dt.datetime
    account_id: int | None = None
    api_key_id: int | None = None
    source_ip: str | None = None
    surface: str
    model: str | None = None
    endpoint: str | None = None
    vendor: str | None = None
    channel: str | None = None
    jurisdiction: str | None = None
    is_stream: bool = False
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    is_estimated: bool = False
    cost_nusd: int = 0
    sent_ms: int | None = None
    first_byte_ms: int | None = None
    total_ms: int
    status: int
    finish_reason: str | None = None
    error_code: str | None = None
    tag: str | None = None
    end_user: str | None = None

    def __post_init__(self) -> None:
        if not _CODE(self.surface):
            raise ValueError("a surface is an identifier")
        if self.finish_reason is not None and not _CODE(self.finish_reason):
            object.__setattr__(self, "finish_reason", None)
        if self.error_code is not None and not _CODE(self.error_code):
            object.__setattr__(self, "error_code", None)
        if self.source_ip is not None and not _ADDRESS(self.source_ip):
            object.__setattr__(self, "source_ip", None)
        if self.tag is not None and not is_label(self.tag):
            object.__setattr__(self, "tag", None)
        if self.end_user is not None and not _DIGEST(self.end_user):
            object.__setattr__(self, "end_user", None)


FIELDS = tuple(field.name for field in dataclasses.fields(Entry))
_ADDRESS_AT = FIELDS.index("source_ip")


def _address(entry: Entry) -> str | None:
    """Return the address as it is stored: with IP_TRUNCATE, its network alone."""
    if entry.source_ip is None or not settings.IP_TRUNCATE:
        return entry.source_ip
    return persons.network(entry.source_ip).partition("/")[0]


def _values(entry: Entry) -> tuple[Any, ...]:
    values = [getattr(entry, name) for name in FIELDS]
    values[_ADDRESS_AT] = _address(entry)
    return tuple(values)


class Recorder:
    """A queue with one writing thread; the process has one, tests make their own."""

    def __init__(self, *, rows_max: int = ROWS_MAX, linger_s: float = LINGER_S) -> None:
        self._rows_max = rows_max
        self._linger_s = linger_s
        self._queue: deque[Entry] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._deadline = 0.0
        self._thread: threading.Thread | None = None
        self._networks = networks.Notebook()
        self._counted = 0  # rows at the queue's head that the metrics hold already
        self._drop_full = metrics.LOG_DROPS.labels("full")

    def put(self, entry: Entry) -> None:
        """Queue a row; never blocks. A row too many is dropped and counted."""
        queue = self._queue
        if len(queue) >= self._rows_max:
            self._drop_full.inc()
            return
        queue.append(entry)
        if len(queue) == GROUP_ROWS_MAX:
            self._wake.set()

    def waiting(self) -> int:
        """Return the number of rows that wait."""
        return len(self._queue)

    def start(self) -> None:
        """Start the thread unless it runs."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._stopping.clear()
        self._wake.clear()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> bool:
        """Write what waits, within the timeout, and end the thread; True when nothing was lost."""
        self._deadline = time.monotonic() + timeout_s
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            # The thread watches the deadline itself; the margin is for a write under way.
            self._thread.join(timeout_s + 1.0)
            self._thread = None
        lost = len(self._queue)
        if lost:
            metrics.LOG_DROPS.labels("stopped").inc(lost)
            logger.error("request logs lost at exit", extra={"rows": lost})
            self._queue.clear()
        return lost == 0

    def _run(self) -> None:
        upkeep = partitions.Upkeep()
        backoff_s = self._linger_s
        try:
            while True:
                upkeep.run(now=dt.datetime.now(dt.UTC))
                if not self._queue:
                    if self._stopping.is_set():
                        return
                    self._rest(self._linger_s)
                if self._write_group():
                    backoff_s = self._linger_s
                    continue
                if self._stopping.is_set():
                    if time.monotonic() >= self._deadline:
                        return
                    time.sleep(self._linger_s)
                self._stopping.wait(backoff_s)
                backoff_s = min(backoff_s * 2, BACKOFF_S_MAX)
        finally:
            connections.close_all()

    def _rest(self, seconds: float) -> None:
        self._wake.wait(seconds)
        if not self._stopping.is_set():
            self._wake.clear()

    def _write_group(self) -> bool:
        """Write up to one group; False when the database is away and the group waits again."""
        queue = self._queue
        group = [queue.popleft() for _ in range(min(len(queue), GROUP_ROWS_MAX))]
        metrics.LOG_QUEUE.set(len(queue))
        if not group:
            return True
        count(group[self._counted :])
        try:
            metrics.LOG_ROWS.inc(write(group))
            self._counted = 0
        except DatabaseError as error:
            queue.extendleft(reversed(group))
            self._counted = len(group)
            metrics.LOG_FAILURES.inc()
            logger.warning("request logs wait", extra={"error": type(error).__name__})
            connection.close()
            return False
        self._note_networks(group)
        return True

    def _note_networks(self, group: Sequence[Entry]) -> None:
        """Note from where keys are used; a failure costs no row, and is made good by the next."""
        uses = [(e.api_key_id, e.source_ip) for e in group if e.api_key_id and e.source_ip]
        try:
            self._networks.note(uses, now=group[-1].created_at)
        except (DatabaseError, NoPepper) as error:
            logger.warning("networks not noted", extra={"error": type(error).__name__})
            connection.close()


def count(group: Sequence[Entry]) -> None:
    """Add rows to the metrics of requests: here, so that the event loop need not."""
    answered = Counter((entry.surface, f"{entry.status // 100}xx") for entry in group)
    for (surface, status_class), rows in answered.items():
        metrics.REQUESTS.labels(surface, status_class).inc(rows)
    for entry in group:
        if entry.first_byte_ms is not None:
            metrics.FIRST_BYTE.observe(entry.first_byte_ms / 1000)
    metrics.TOKENS.labels("prompt").inc(
        sum(e.input_tokens + e.cache_read_tokens + e.cache_write_tokens for e in group)
    )
    metrics.TOKENS.labels("completion").inc(
        sum(e.output_tokens + e.reasoning_tokens for e in group)
    )


def write(group: Sequence[Entry]) -> int:
    """Write rows, each once however often this is repeated; return how many were not refused.

    Raises: DatabaseError when the database is away, read-only or not migrated; nothing is lost.
    """
    try:
        with transaction.atomic():
            _copy(group) if connection.vendor == "postgresql" else _insert(group)
            _sum(group)
    except _REFUSED:
        # A row stands already (a commit whose answer was lost) or is wrong: find out which.
        return _write_missing(group)
    return len(group)


def _sum(group: Sequence[Entry]) -> None:
    """Add rows just written to what is kept beside them, in the same transaction."""
    sums.add(group)
    security_log.add([(entry, _address(entry)) for entry in group])
    _note_late(group, now=dt.datetime.now(dt.UTC))


def _note_late(group: Sequence[Entry], *, now: dt.datetime) -> None:
    """Count what comes so late that the archive has let its day go."""
    before = watermarks.first_id(now - LATE_AFTER)
    late = [entry.request_id for entry in group if entry.request_id < before]
    if late and (missed := watermarks.note_late(late, now=now)):
        logger.error("requests too late for the archive", extra={"rows": missed})


def _copy(group: Sequence[Entry]) -> None:
    columns = ", ".join(f'"{name}"' for name in FIELDS)
    statement = f'COPY "{RequestLog._meta.db_table}" ({columns}) FROM STDIN'
    # copy() is psycopg's own method: Django neither times it nor translates its errors.
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(statement) as copy,
    ):
        for entry in group:
            copy.write_row(_values(entry))


def _insert(group: Sequence[Entry]) -> None:
    RequestLog.objects.bulk_create(
        RequestLog(**dict(zip(FIELDS, _values(entry), strict=True))) for entry in group
    )


def _write_missing(group: Sequence[Entry]) -> int:
    """Write the rows that do not stand yet; only these are summed."""
    missing = list(_missing(group))
    try:
        with transaction.atomic():
            _insert(missing)
            _sum(missing)
    except _REFUSED:
        # One row is wrong, or an earlier commit has just come through.
        return len(group) - sum(not _write_one(entry) for entry in missing)
    return len(group)


def _missing(group: Sequence[Entry]) -> Iterable[Entry]:
    entries = {entry.request_id: entry for entry in group}
    standing = RequestLog.objects.filter(request_id__in=entries)
    for request_id in standing.values_list("request_id", flat=True):
        del entries[request_id]
    return entries.values()


def _write_one(entry: Entry) -> bool:
    try:
        with transaction.atomic():
            if missing := list(_missing([entry])):
                _insert(missing)
                _sum(missing)
    except _REFUSED as error:
        metrics.LOG_DROPS.labels("refused").inc()
        logger.error("request log refused", extra={"error": type(error).__name__})
        return False
    return True


_recorder = Recorder()


def record(entry: Entry) -> None:
    """Queue a request's row; never blocks, never raises."""
    _recorder.put(entry)


def start() -> None:
    """Start the writing thread of this process."""
    _recorder.start()


def stop(timeout_s: float = STOP_TIMEOUT_S) -> bool:
    """Flush and stop; True when every row was written."""
    return _recorder.stop(timeout_s)
