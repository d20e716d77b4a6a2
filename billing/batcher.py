"""Group commits: intents, checkpoints, extensions and settles of a worker, on one thread.

The event loop lays items down with one deque append; the thread takes what lies there (at most
256 rows), commits, and answers with one call into the loop. It flushes at once when idle, else
when the previous commit returns. A failed batch is split, never lost whole; while the database
is away settles go to the spool, and intents are refused.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol
from uuid import UUID

from accounts import metrics
from billing.batch import Batch, Item, Outcome
from billing.charges import OpenCharge
from billing.spool import Spool, SpooledSettle, SpoolFull

logger = logging.getLogger(__name__)


class Away(Exception):
    """The database does not answer, or cannot write; what was sent may stand or not."""


ROWS_MAX = 256
# Under load commits come back with many rows: a breath between them makes fewer and larger ones,
# which saves the database half its work; alone, a request never waits for it.
CROWD_ROWS = 6
LINGER_S = 0.001
# Nobody dials a vendor while the oldest item is older.
AGE_S_MAX = 0.5
# An intent that waits for so long is refused: its request gets a 503.
INTENT_WAIT_S = 1.0
RETRY_S = 0.1
TRIES_MAX = 3


class Store(Protocol):
    """The database's connection for batches."""

    errors: tuple[type[Exception], ...]

    def commit(self, batch: Batch, *, is_replay: bool) -> Outcome: ...
    def close(self) -> None: ...
    def is_away(self, error: Exception) -> bool: ...
    def is_passing(self, error: Exception) -> bool: ...


class Batcher:
    """The thread, and the tray that charges lay their items on."""

    def __init__(self, *, store: Store, spool: Spool, on_late: Callable[[UUID, int], None]) -> None:
        self._store = store
        self._spool = spool
        self._on_late = on_late
        self._loop = asyncio.get_running_loop()
        self._settles: deque[OpenCharge] = deque()
        self._extensions: deque[OpenCharge] = deque()
        self._checkpoints: deque[OpenCharge] = deque()
        self._intents: deque[OpenCharge] = deque()
        self._wake = threading.Event()
        self._is_idle = False
        self._is_stopping = False
        self._spooled: list[OpenCharge] = []
        # Monotonic time since which something waits; 0.0 when nothing does.
        self._waiting_since = 0.0
        self.is_failing = False
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Write what lies on the tray, end the thread; False when it did not end in time."""
        self._is_stopping = True
        self._wake.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def is_healthy(self) -> bool:
        """Tell whether intents are written promptly; readable from any thread."""
        since = self._waiting_since
        return not self.is_failing and (not since or time.monotonic() - since < AGE_S_MAX)

    # The tray; on the event loop

    def intend(self, charge: OpenCharge) -> None:
        self._intents.append(charge)
        if self._is_idle:
            self._rouse()

    def extend(self, charge: OpenCharge) -> None:
        self._extensions.append(charge)
        if self._is_idle:
            self._rouse()

    def checkpoint(self, charge: OpenCharge) -> None:
        self._checkpoints.append(charge)
        if self._is_idle:
            self._rouse()

    def settle(self, charge: OpenCharge) -> None:
        self._settles.append(charge)
        if self._is_idle:
            self._rouse()

    def _rouse(self) -> None:
        self._is_idle = False
        self._wake.set()

    # The thread

    def _run(self) -> None:
        try:
            while True:
                batch = self._gather()
                if batch is None:
                    break
                self._flush(batch)
                if len(batch) >= CROWD_ROWS:
                    time.sleep(LINGER_S)
        except Exception:
            self.is_failing = True
            logger.exception("the batcher died")
            raise
        finally:
            self._store.close()
            self._spool.release()

    def _gather(self) -> Batch | None:
        """Take what lies there, waiting for the first item; None when stopped and done."""
        while True:
            batch = Batch()
            room = ROWS_MAX
            for queue, items in (
                (self._settles, batch.settles),
                (self._extensions, batch.extensions),
                (self._checkpoints, batch.checkpoints),
                (self._intents, batch.intents),
            ):
                while room and queue:
                    items.append(queue.popleft())
                    room -= 1
            if room < ROWS_MAX:
                if room or not self._waiting_since:
                    self._waiting_since = time.monotonic()
                return batch
            self._waiting_since = 0.0
            if self._is_stopping:
                return None
            self._wake.clear()
            self._is_idle = True
            if not self._has_items() and not self._is_stopping:
                self._wake.wait()
            self._is_idle = False

    def _has_items(self) -> bool:
        return bool(self._settles or self._extensions or self._checkpoints or self._intents)

    def _flush(self, batch: Batch) -> None:
        for charge in batch.checkpoints:
            charge.take_checkpoint()
        started = time.monotonic()
        metrics.BATCH_ROWS.labels("charges").observe(len(batch))
        try:
            outcome = write(self._store, batch, is_replay=False)
        except Away:
            self._endure(batch)
            return
        metrics.BATCH_SECONDS.labels("charges").observe(time.monotonic() - started)
        self._answer(batch, outcome)

    def _answer(self, batch: Batch, outcome: Outcome) -> None:
        """Tell every charge of a batch, with one call into the loop."""
        if len(batch):
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._deliver, batch, outcome)

    def _deliver(self, batch: Batch, outcome: Outcome) -> None:
        intended, settled = outcome.intended, outcome.settled
        for charge in batch.intents:
            charge.on_intent(is_done=charge.request_id in intended)
        for charge in batch.extensions:
            charge.on_extended(is_done=charge.request_id in outcome.extended)
        sum_nusd = 0
        for charge in batch.settles:
            is_done = charge.request_id in settled
            charge.on_settled(is_done=is_done)
            if is_done:
                sum_nusd += charge.settlement.cost_nusd
            else:
                self._on_late(charge.request_id, charge.settlement.cost_nusd)
        if sum_nusd:
            metrics.SETTLED_NUSD.inc(sum_nusd)

    # The database is away

    def _endure(self, batch: Batch) -> None:
        """Live through an outage: spool settles, refuse intents, try again."""
        self.is_failing = True
        logger.warning("the database is away", extra={"rows": len(batch)})
        began = time.monotonic()
        while True:
            batch.checkpoints = []
            self._shelter(batch)
            if time.monotonic() - began > INTENT_WAIT_S:
                self._refuse(batch)
            if self._is_stopping and not batch.settles:
                self._refuse(batch)
                return
            time.sleep(RETRY_S)
            self._collect(batch)
            with contextlib.suppress(Away):
                outcome = write(self._store, batch, is_replay=True, tries=1)
                self._answer(batch, outcome)
                batch = Batch()
                self._replay()
                break
        self._waiting_since = 0.0
        self.is_failing = False
        logger.warning("the database is back")

    def _shelter(self, batch: Batch) -> None:
        """Put settles on this machine's disk: that makes them durable enough to answer."""
        if not batch.settles:
            return
        try:
            self._spool.write(batch.settles)
        except SpoolFull:
            logger.exception("the spool is full")
            return
        spooled, batch.settles = batch.settles, []
        self._spooled += spooled
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_tell_spooled, spooled)

    def _refuse(self, batch: Batch) -> None:
        """Answer what may not wait: intents, of which nothing was delivered, and extensions."""
        refused = Batch(intents=batch.intents, extensions=batch.extensions)
        batch.intents, batch.extensions = [], []
        self._answer(refused, Outcome())

    def _collect(self, batch: Batch) -> None:
        for queue, items in (
            (self._settles, batch.settles),
            (self._extensions, batch.extensions),
            (self._intents, batch.intents),
        ):
            while queue:
                items.append(queue.popleft())
        while self._checkpoints:
            self._checkpoints.popleft().take_checkpoint()

    def _replay(self) -> None:
        """Bring the spool to the database. Raises: Away."""
        while self._spooled:
            part = Batch(settles=self._spooled[:ROWS_MAX])
            outcome = write(self._store, part, is_replay=True)
            del self._spooled[:ROWS_MAX]
            self._answer(part, outcome)
        self._spool.clear()


def _tell_spooled(charges: list[OpenCharge]) -> None:
    for charge in charges:
        charge.on_spooled()


def write(store: Store, batch: Batch, *, is_replay: bool, tries: int = TRIES_MAX) -> Outcome:
    """Commit a batch, in parts if it must be. Raises: Away."""
    for attempt in range(tries):
        try:
            return store.commit(batch, is_replay=is_replay or attempt > 0)
        except store.errors as error:
            if store.is_away(error):
                if attempt + 1 == tries:
                    raise Away from error
            elif not store.is_passing(error):
                return _write_parts(store, batch, error)
    raise Away


def _write_parts(store: Store, batch: Batch, error: Exception) -> Outcome:
    """Write both halves of a batch that the database refused; give up only a single row."""
    if len(batch) > 1:
        outcome = Outcome()
        for half in batch.halves():
            outcome.add(write(store, half, is_replay=True))
        return outcome
    logger.error("the database refused a row", extra={"error": type(error).__name__})
    if batch.settles and not isinstance(batch.settles[0], _Bare):
        return write(store, Batch(settles=[_Bare.of(batch.settles[0])]), is_replay=True)
    return Outcome()


class _Bare(SpooledSettle):
    """A settle without what the database may refuse: the money must not hang on a text."""

    @classmethod
    def of(cls, item: Item) -> "_Bare":
        bare = replace(
            item.settlement, endpoint=None, usage_raw=None, attempts=(),
            rate_card=None, vendor_cost_nusd=0,
        )  # fmt: skip
        return cls(request_id=item.request_id, settlement=bare)
