"""The teller: takes, grows, returns and closes leases, and renews the worker's life.

One thread with one connection of Django's. The heartbeat goes before every job.
"""

import asyncio
import contextlib
import logging
import queue
import threading
import uuid
from collections.abc import Callable

from django.db import Error, InternalError, connection

from accounts import changes, metrics
from accounts.models import Change
from billing import ledger, vault
from billing.life import Life
from billing.vault import Done, Order

logger = logging.getLogger(__name__)

Job = Callable[[], object]
ACTOR = "gateway"
# A worker's transactions wait for nothing long (PostgreSQL; SQLite has its own timeout).
LIMITS = (
    "SET lock_timeout = '500ms'; SET statement_timeout = '2s';"
    " SET idle_in_transaction_session_timeout = '1s'; SET synchronous_commit = on"
)


class Teller:
    """The thread; submit() and its kin are called on the event loop."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="teller", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End the thread after the jobs that wait; False when it did not end in time."""
        self._is_stopping = True
        self._jobs.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def submit(self, order: Order, answer: Callable[[Done | Exception], None]) -> None:
        """Do an order on the thread, then call `answer` on the event loop."""
        self._jobs.put(lambda: self._work(order, answer))

    def recall(self, wallet_id: int) -> None:
        """Ask other workers to return what they hold idle of a wallet."""
        self._jobs.put(lambda: _announce_recall(wallet_id))

    def correct(self, request_id: uuid.UUID, cost_nusd: int) -> None:
        """A settle came after a sweeper: it may only credit."""
        self._jobs.put(lambda: correct_late(request_id, cost_nusd))

    def begin(self, answer: Callable[[bool], None]) -> None:
        """Begin a new life after a lost one, then call `answer` on the event loop."""
        self._jobs.put(lambda: self._begin(answer))

    def _begin(self, answer: Callable[[bool], None]) -> None:
        is_done = False
        try:
            _limit()
            self._life.begin()
            is_done = True
        finally:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(answer, is_done)

    def _work(self, order: Order, answer: Callable[[Done | Exception], None]) -> None:
        try:
            result = _do(order)
        except vault.WorkerExpired as error:
            self._tell(answer, error)
        except Exception as error:
            self._tell(answer, error)
            raise
        else:
            self._tell(answer, result)
            _count(order, result)

    def _tell(self, answer: Callable[[Done | Exception], None], result: Done | Exception) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(answer, result)

    # The thread

    def _run(self) -> None:
        try:
            while True:
                try:
                    if not self._step():
                        break
                except Error as error:
                    # Away or refused: whoever asked was told; begin afresh.
                    logger.warning("a teller job failed", extra={"error": type(error).__name__})
                    connection.close()
                except Exception:
                    # An invariant is broken for one wallet: the others must go on.
                    logger.exception("a teller job broke")
                    connection.close()
        finally:
            connection.close()

    def _step(self) -> bool:
        """Beat when it is time, then do one job; False when stopped."""
        wait_s = self._life.beat()
        try:
            job = self._jobs.get(timeout=max(wait_s, 0.001))
        except queue.Empty:
            return True
        if job is None:
            return False
        job()
        return True


def _do(order: Order) -> Done:
    """Do an order; again, once, when the server ended our session because it idled.

    So it does when this process was held up inside a transaction (SQLSTATE 25P03, PostgreSQL 16,
    Appendix A): nothing was committed, and only the caller would pay for it with an error.
    """
    try:
        _limit()  # may fail, too: whoever asked must hear of it
        return vault.work(order)
    except InternalError:
        connection.close()
        _limit()
        return vault.work(order)


def _count(order: Order, done: Done) -> None:
    for operation, number in (
        ("close", len(order.closes)),
        ("return", len(order.targets)),
        ("grant", len(done.funded)),
    ):
        if number:
            metrics.LEASES.labels(operation).inc(number)


def _limit() -> None:
    """Give a new connection of this thread its limits."""
    if connection.connection is None and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(LIMITS)


def _announce_recall(wallet_id: int) -> None:
    _limit()
    changes.announce(Change.Topic.RECALL, str(wallet_id))


def correct_late(request_id: uuid.UUID, cost_nusd: int) -> bool:
    """Give back what a sweeper's estimate took above the true cost; False when that is nothing."""
    _limit()
    try:
        ledger.correct(request_id=request_id, cost_nusd=cost_nusd, actor=ACTOR)
    except (ledger.NothingToCorrect, ledger.AlreadyPosted):
        return False
    return True
