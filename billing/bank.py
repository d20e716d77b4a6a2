"""A gateway worker's bank: its life, its threads, and whether it may admit and send."""

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import connection

from accounts import changes
from accounts.models import Change
from billing import charges, leases, sweeper, workers
from billing.batcher import Batcher
from billing.desk import Desk
from billing.life import Life
from billing.models import Worker
from billing.spool import Spool
from billing.store import dialect
from billing.teller import Teller

logger = logging.getLogger(__name__)

STOP_S = 10.0
LOST_POLL_S = 0.05


class BankBusy(RuntimeError):
    """Another gateway process serves this SQLite database: there may be only one."""


class Bank:
    """Everything of one worker. open() and close() run on the event loop."""

    def __init__(self, *, folder: Path | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._folder = folder or settings.DATA_DIR / "spool"
        self.life = Life(ttl_s=settings.LEASE_TTL_S, on_lost=self._on_lost)
        self.teller = Teller(self.life)
        self.desk = Desk(boot=self.life.boot, teller=self.teller, may_admit=self.is_open)
        words = dialect()
        self.spool = Spool(self._folder, boot=self.life.boot, bytes_max=settings.SPOOL_BYTES_MAX)
        self.batcher = Batcher(store=words.Store(), spool=self.spool, on_late=self.teller.correct)
        self._replayer = words.Store()
        self.sweeper = sweeper.Sweeper(
            ttl_s=settings.LEASE_TTL_S, folder=self._folder, store=words.Store()
        )
        self._timer: asyncio.TimerHandle | None = None
        self._is_stopping = False

    async def open(self) -> None:
        """Begin this worker's life; replay and reclaim what is left of others. Raises: Error."""
        await asyncio.to_thread(self._begin)
        self.desk.boot = self.life.boot
        self.batcher.start()
        self.teller.start()
        self.sweeper.start()
        self._tick()

    def _begin(self) -> None:
        try:
            charges.ensure_partitions(days=7)
            sweeper.replay_leftovers(self._folder, self._replayer)
            if connection.vendor == "sqlite":
                # The only gateway process is this one: whoever was before is dead.
                Worker.objects.all().delete()
            sweeper.reclaim_orphans()
            self.life.begin()
        finally:
            self._replayer.close()
            connection.close()

    def is_open(self) -> bool:
        """Tell whether a request may be admitted."""
        return self.life.is_confirmed() and self.batcher.is_healthy() and not self._is_stopping

    def call(self, act: Callable[[int | None], None], ref: str) -> None:
        """Do something to a wallet's leases on the event loop, asked for from another thread."""
        wallet_id = int(ref) if ref else None
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(act, wallet_id)

    def _tick(self) -> None:
        self.desk.rotate()
        self._timer = self._loop.call_later(min(settings.LEASE_ROTATION_S / 8, 1.0), self._tick)

    async def close(self, *, timeout_s: float = STOP_S) -> bool:
        """End this life: close leases, write what waits; True when nothing is left behind."""
        self._is_stopping = True
        is_clean = await self.desk.close(timeout_s=timeout_s)
        if self._timer is not None:
            self._timer.cancel()
        return await asyncio.to_thread(self._end, is_clean=is_clean)

    def _end(self, *, is_clean: bool) -> bool:
        stopped = [
            self.batcher.stop(STOP_S), self.teller.stop(STOP_S), self.sweeper.stop(STOP_S)
        ]  # fmt: skip
        is_clean = is_clean and all(stopped)
        try:
            if is_clean:
                workers.remove(self.life.boot)
        finally:
            connection.close()
        return is_clean

    # A sweeper ended this life

    def _on_lost(self) -> None:
        logger.error("this worker's life was ended by a sweeper")
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._drop)

    def _drop(self) -> None:
        self.desk.drop()
        self._revive()

    def _revive(self) -> None:
        """Begin a new life once no charge of the old one runs: until then nothing may be sent."""
        if self._is_stopping:
            return
        if self.desk.grants:
            self._loop.call_later(LOST_POLL_S, self._revive)
            return
        self.teller.begin(self._revived)

    def _revived(self, is_done: bool) -> None:  # noqa: FBT001 - a callback
        self.desk.boot = self.life.boot
        if not is_done:
            self._loop.call_later(LOST_POLL_S * 10, self._revive)


_bank: Bank | None = None
_lock_file: int | None = None


def _lock() -> None:
    """Take the one seat beside a SQLite database. Raises: BankBusy."""
    global _lock_file  # noqa: PLW0603 - one for each process
    if connection.vendor != "sqlite" or _lock_file is not None:
        return
    path = Path(str(connection.settings_dict["NAME"]) + ".gateway")
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(file)
        raise BankBusy from error
    _lock_file = file


def _unlock() -> None:
    global _lock_file  # noqa: PLW0603 - one for each process
    if _lock_file is not None:
        os.close(_lock_file)
        _lock_file = None


async def start() -> None:
    """Open this process's bank, on the running event loop. Raises: BankBusy, django.db.Error."""
    global _bank  # noqa: PLW0603 - one for each process
    await asyncio.to_thread(_lock)
    bank = Bank()
    try:
        await bank.open()
    except BaseException:
        _unlock()
        raise
    leases.install(bank.desk)
    charges.install(bank.desk, bank.batcher)
    _bank = bank


async def stop() -> bool:
    """Close it; callers have drained their requests. True when nothing is left to a sweeper."""
    global _bank
    bank, _bank = _bank, None
    if bank is None:
        return True
    is_clean = await bank.close()
    leases.install(None)
    charges.install(None, None)
    _unlock()
    return is_clean


def is_open() -> bool:
    """Tell whether requests may be admitted."""
    return _bank is not None and _bank.is_open()


def may_send() -> bool:
    """Tell whether bytes may go to clients: nobody can have reclaimed our leases yet."""
    return _bank is not None and _bank.life.is_confirmed()


def connect(listener: changes.Listener) -> None:
    """Hear of frozen wallets and of credit that other workers ask for."""
    listener.subscribe(Change.Topic.WALLET, _on_wallet)
    listener.subscribe(Change.Topic.RECALL, _on_recall)


def _on_wallet(ref: str) -> None:
    if bank := _bank:
        bank.call(bank.desk.drain, ref)


def _on_recall(ref: str) -> None:
    if bank := _bank:
        bank.call(bank.desk.give_back, ref)
