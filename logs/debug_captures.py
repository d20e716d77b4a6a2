"""The only writer of captures: a bounded queue in memory, and one thread that encrypts and stores.

What is queued has touched no disk; a process that dies takes it along. The same thread ends
sessions whose time is over, so that nothing lives on because a task runner is away.
"""

import datetime as dt
import logging
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field

from django.db import DatabaseError, IntegrityError, connection, connections, transaction
from django.db.models import F

from accounts import metrics
from logs import debug, debug_keys
from logs.models import DebugCapture, DebugSession

logger = logging.getLogger(__name__)

PART_BYTES_MAX = 1 << 20
QUEUE_BYTES_MAX = 32 << 20
QUEUE_ROWS_MAX = 1_000
SESSION_ROWS_MAX = 1_000
SESSION_BYTES_MAX = 256 << 20
SWEEP_EVERY_S = 60.0
RETRY_S = 1.0
STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A request and its answer, both cut at PART_BYTES_MAX; its repr holds no content."""

    session_id: uuid.UUID
    request_id: uuid.UUID
    created_at: dt.datetime
    request: bytes = field(repr=False)
    response: bytes = field(repr=False)
    request_bytes: int
    response_bytes: int

    @property
    def size(self) -> int:
        """How many bytes wait in memory."""
        return len(self.request) + len(self.response)


class Writer:
    """A queue with one writing thread; the process has one, tests make their own."""

    def __init__(self, *, bytes_max: int = QUEUE_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._queue: deque[Captured] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._deadline = 0.0
        self._thread: threading.Thread | None = None

    def put(self, captured: Captured) -> None:
        """Queue a capture; never blocks on a disk. One too many is dropped and counted."""
        with self._lock:
            is_full = len(self._queue) >= QUEUE_ROWS_MAX
            if is_full or self._bytes + captured.size > self._bytes_max:
                metrics.DEBUG_DROPS.labels("full").inc()
                return
            self._queue.append(captured)
            self._bytes += captured.size
        self._wake.set()

    def start(self) -> None:
        """Start the thread unless it runs."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="debug", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Store what waits, within the timeout, and end the thread; the rest is lost."""
        self._deadline = time.monotonic() + timeout_s
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s + 1.0)
            self._thread = None
        metrics.DEBUG_DROPS.labels("stopped").inc(len(self._queue))
        self._queue.clear()
        self._bytes = 0

    def _run(self) -> None:
        sweep_at = 0.0
        try:
            while True:
                if time.monotonic() >= sweep_at:
                    _sweep()
                    sweep_at = time.monotonic() + SWEEP_EVERY_S
                if self._empty():
                    if self._stopping.is_set():
                        return
                    self._wake.wait(max(0.0, sweep_at - time.monotonic()))
                    self._wake.clear()
                    continue
                if self._stopping.is_set():
                    if time.monotonic() >= self._deadline:
                        return
                    time.sleep(RETRY_S / 10)
                self._stopping.wait(RETRY_S)
        finally:
            connections.close_all()

    def _empty(self) -> bool:
        """Store all that waits; False when the database is away and the rest waits on."""
        while self._queue:
            captured = self._queue[0]
            try:
                store(captured, now=dt.datetime.now(dt.UTC))
            except DatabaseError as error:
                logger.warning("debug captures wait", extra={"error": type(error).__name__})
                connection.close()
                return False
            except Exception:
                # The boundary of a thread that must live on: it also ends sessions.
                logger.exception("debug capture lost")
                metrics.DEBUG_DROPS.labels("failed").inc()
            with self._lock:
                self._queue.popleft()
                self._bytes -= captured.size
        return True


def _sweep() -> None:
    try:
        debug.sweep(now=dt.datetime.now(dt.UTC))
    except DatabaseError as error:
        logger.warning("debug sweep failed", extra={"error": type(error).__name__})
        connection.close()


def store(captured: Captured, *, now: dt.datetime) -> bool:
    """Encrypt a capture and store it; False, counted, when its session does not take it.

    Locks: the session, so that nothing is written behind its end. Raises: DatabaseError.
    """
    try:
        key = debug_keys.load(captured.session_id)
    except debug_keys.KeyGone:
        metrics.DEBUG_DROPS.labels("ended").inc()
        return False
    row = DebugCapture(
        request_id=captured.request_id,
        session_id=captured.session_id,
        created_at=captured.created_at,
        request=key.seal(captured.request, request_id=captured.request_id, part="request"),
        response=key.seal(captured.response, request_id=captured.request_id, part="response"),
        request_bytes=captured.request_bytes,
        response_bytes=captured.response_bytes,
    )
    cause = _insert(row, size=captured.size, now=now)
    if cause:
        metrics.DEBUG_DROPS.labels(cause).inc()
        return False
    metrics.DEBUG_CAPTURES.inc()
    return True


@transaction.atomic
def _insert(row: DebugCapture, *, size: int, now: dt.datetime) -> str:
    """Store a row; return why not, empty when it is stored."""
    sessions = DebugSession.objects.filter(pk=row.session_id)
    session = sessions.select_for_update().first()
    if session is None or not session.is_running(now):
        return "ended"
    if session.kept >= SESSION_ROWS_MAX or session.kept_bytes + size > SESSION_BYTES_MAX:
        sessions.update(missed=F("missed") + 1)
        return "too_many"
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # a commit whose answer was lost
        return "twice"
    sessions.update(kept=F("kept") + 1, kept_bytes=F("kept_bytes") + size)
    return ""


_writer = Writer()


def put(captured: Captured) -> None:
    """Queue a capture; never blocks, never raises."""
    _writer.put(captured)


def start() -> None:
    """Start the writing thread of this process; it begins with a sweep."""
    _writer.start()


def stop() -> None:
    """Store what waits and stop."""
    _writer.stop()
