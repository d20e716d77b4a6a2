"""The sweeper: a thread in every gateway worker that ends what dead workers left behind.

A worker is dead when its row expired and this sweeper has seen it unrenewed for one whole TTL
during which the database answered every look: an outage of the database kills nobody.
"""

import contextlib
import datetime as dt
import logging
import random
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

from django.db import Error, connection
from django.utils import timezone

from billing import batcher, charges, holds, spending, spool, trials, vault, workers
from billing.batch import Batch
from billing.life import boottime
from billing.teller import correct_late

logger = logging.getLogger(__name__)

# Looks in one TTL. A gap of more than three looks breaks a watch.
LOOKS = 10
ORPHANS_MAX = 200
ROWS_MAX = 256
# How often a worker looks for trials and holds whose day has come.
TRIALS_EVERY_S = 30.0


@dataclass(slots=True, kw_only=True)
class _Watch:
    beat: int
    since: float


class Watcher:
    """Who has not renewed for how long, as this process saw it."""

    def __init__(self, *, ttl_s: float) -> None:
        self._ttl_s = ttl_s
        self._watches: dict[uuid.UUID, _Watch] = {}
        self._looked_at = 0.0

    def look(self, seen: list[workers.Sighting], *, now: float) -> list[workers.Sighting]:
        """Note what stands in the database; return who is dead."""
        if now - self._looked_at > self._ttl_s * 3 / LOOKS + 1:
            self._watches.clear()
        self._looked_at = now
        old, self._watches = self._watches, {}
        for one in seen:
            watch = old.get(one.boot)
            if watch is None or watch.beat != one.beat:
                watch = _Watch(beat=one.beat, since=now)
            self._watches[one.boot] = watch
        return [
            one
            for one in seen
            if one.is_expired and now - self._watches[one.boot].since >= self._ttl_s
        ]

    def forget(self) -> None:
        """Begin all watches anew: the database did not answer."""
        self._watches.clear()


class Sweeper:
    """The thread."""

    def __init__(self, *, ttl_s: float, folder: Path, store: batcher.Store) -> None:
        self._ttl_s = ttl_s
        self._folder = folder
        self._store = store
        self._watcher = Watcher(ttl_s=ttl_s)
        self._partitioned_on = timezone.now().date()  # the bank has done it at its start
        self._trials_at = 0.0
        self._folded_on: dt.date | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        self._stopping.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping.wait(self._pause_s()):
                try:
                    self.sweep()
                    self._make_partitions()
                    self._end_trials()
                    self._fold_hours()
                except Error:
                    self._watcher.forget()
                    connection.close()
                except Exception:
                    logger.exception("a sweep failed")
                    connection.close()
        finally:
            self._store.close()
            connection.close()

    def _make_partitions(self) -> None:
        """Once a day, should this worker live for weeks. Raises: django.db.Error."""
        today = timezone.now().date()
        if today != self._partitioned_on:
            self._partitioned_on = today  # tried once: rows of a missing day have the DEFAULT one
            charges.ensure_partitions(days=7, today=today)

    def _end_trials(self) -> None:
        """Look now and then, in each worker: whoever comes second finds nothing.

        Raises: django.db.Error.
        """
        if boottime() - self._trials_at >= TRIALS_EVERY_S:
            self._trials_at = boottime()
            trials.end_due(now=timezone.now())
            holds.end_due(now=timezone.now())

    def _fold_hours(self) -> None:
        """Once a day, and once in a life. Raises: django.db.Error."""
        today = timezone.now().date()
        if today != self._folded_on:
            spending.fold(today=today)
            self._folded_on = today

    def _pause_s(self) -> float:
        # Jittered, so that workers of one start do not all sweep the same lease.
        return self._ttl_s / LOOKS * random.uniform(0.7, 1.3)  # noqa: S311 - no secret

    def sweep(self) -> int:
        """Do one round; return how many leases were reclaimed. Raises: django.db.Error."""
        with contextlib.suppress(batcher.Away):
            replay_leftovers(self._folder, self._store)
        for dead in self._watcher.look(workers.sightings(), now=boottime()):
            if workers.condemn(dead):
                logger.warning("a dead worker's leases are reclaimed")
        return reclaim_orphans()


def reclaim_orphans() -> int:
    """Reclaim every lease without a worker's row; return how many. Raises: django.db.Error."""
    reclaimed = 0
    for lease_id, wallet_id in vault.orphans(ORPHANS_MAX):
        try:
            reclaimed += vault.reclaim(lease_id, wallet_id=wallet_id)
        except vault.CLOSING_BROKE:
            # One broken lease must not keep the others waiting; the audit shows it.
            logger.exception("a lease cannot be reclaimed")
    return reclaimed


def replay_leftovers(folder: Path, store: batcher.Store) -> int:
    """Settle what dead workers of this machine wrote to their spools; return how many lines.

    Before their leases are reclaimed, so that a spooled settle is not late for nothing.
    Raises: batcher.Away, django.db.Error; then the file stays for the next round.
    """
    replayed = 0
    with spool.leftovers(folder) as found:
        for leftover in found:
            settles = leftover.settles
            for start in range(0, len(settles), ROWS_MAX):
                _replay(settles[start : start + ROWS_MAX], store)
            replayed += len(settles)
            leftover.delete()
    return replayed


def _replay(settles: list[spool.SpooledSettle], store: batcher.Store) -> None:
    outcome = batcher.write(store, Batch(settles=settles), is_replay=True)
    for one in settles:
        if one.request_id not in outcome.settled:
            correct_late(one.request_id, one.settlement.cost_nusd)
