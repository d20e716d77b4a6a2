"""What one request holds and owes, from its intent to its settle; called on the event loop.

No byte goes to a client before `durable` says True, no terminal event before settle() does.
"""

import asyncio
import datetime as dt
import uuid
from dataclasses import replace
from typing import Protocol

from django.db import connection, transaction

from accounts import timeids
from billing.batch import AttemptRow, Settlement
from billing.desk import Desk
from billing.grants import Grant, MoneyUnavailable
from billing.models import Charge
from billing.purses import LocalLease

__all__ = ["AttemptRow", "OpenCharge", "Settlement", "ensure_partitions", "open_charge"]

FILLFACTOR = 70
# Workers that start together would otherwise race for the same CREATE TABLE.
_PARTITION_LOCK = 0x6269_6C6C


class Tray(Protocol):
    """Where charges lay down what is to be written (billing.batcher)."""

    def intend(self, charge: "OpenCharge") -> None: ...
    def extend(self, charge: "OpenCharge") -> None: ...
    def checkpoint(self, charge: "OpenCharge") -> None: ...
    def settle(self, charge: "OpenCharge") -> None: ...


class OpenCharge:
    """A request's charge while it runs. Every method runs on the event loop."""

    __slots__ = (
        "_desk", "_end", "_extending", "_is_dirty", "_is_reserving", "_lease", "_settlement",
        "_tray", "api_key_id", "checkpoint_nusd", "durable", "hold_nusd", "lease_id",
        "request_id", "wallet_id", "wanted_hold_nusd",
    )  # fmt: skip

    def __init__(
        self,
        grant: Grant,
        *,
        request_id: uuid.UUID,
        desk: Desk,
        tray: Tray,
        lease: LocalLease | None,
    ) -> None:
        self.request_id = request_id
        self.lease_id = grant.lease_id
        self.wallet_id = grant.wallet_id
        self.api_key_id = grant.api_key_id
        self.hold_nusd = self.wanted_hold_nusd = grant.hold_nusd
        self.checkpoint_nusd = 0
        # True once the intent stands; False: fenced, so close the upstream and admit again.
        self.durable: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._desk = desk
        self._tray = tray
        self._lease = lease
        self._is_dirty = self._is_reserving = False
        self._settlement: Settlement | None = None
        self._end: asyncio.Future[bool] | None = None
        self._extending: asyncio.Future[bool] | None = None
        if lease is None:
            self.durable.set_result(False)
        else:
            tray.intend(self)

    @property
    def settlement(self) -> Settlement:
        """How the request ended. For the batcher, which sees a charge only after settle()."""
        if self._settlement is None:
            raise AssertionError("the charge is not settled")
        return self._settlement

    @property
    def is_fenced(self) -> bool:
        """True when the lease is not this worker's any more: send nothing more."""
        return self._lease is None or (self._lease.is_dead and self._end is None)

    def checkpoint(self, cost_nusd: int) -> None:
        """Note what was delivered so far: what is paid if this worker dies. Never goes down."""
        cost_nusd = min(cost_nusd, self.hold_nusd)
        if cost_nusd <= self.checkpoint_nusd or self._end is not None:
            return
        self.checkpoint_nusd = cost_nusd
        if not self._is_dirty and self._is_durable():
            self._is_dirty = True
            self._tray.checkpoint(self)

    async def extend(self, hold_nusd: int) -> bool:
        """Hold more, durably, before the bytes that it covers leave; False when refused.

        One extension at a time.
        """
        more = hold_nusd - self.hold_nusd
        if more <= 0:
            return True
        lease = self._lease
        if lease is None or self._is_reserving or self._extending or not self._is_durable():
            return False
        self._is_reserving = True
        try:
            if not await self._desk.reserve(lease, more):
                return False
        finally:
            self._is_reserving = False
        if self._end is not None:
            self._desk.unreserve(lease, more)
            return False
        self.wanted_hold_nusd = hold_nusd
        self._extending = asyncio.get_running_loop().create_future()
        self._tray.extend(self)
        # Shielded: if the caller goes away meanwhile, the answer must still be counted.
        return await asyncio.shield(self._extending)

    def settle(self, settlement: Settlement) -> "asyncio.Future[bool]":
        """End the charge, once; True when that is durable, False when a sweeper was first.

        The cost is kept within the hold. Calling it again returns the same future.
        """
        if self._end is not None:
            return self._end
        self._end = asyncio.get_running_loop().create_future()
        self._settlement = self._normal(settlement)
        if self._is_durable():
            self._hand_in()
        elif self.durable.done():
            self._end.set_result(False)  # it was refused: there is nothing to settle
        return self._end

    def _hand_in(self) -> None:
        if self._extending is None:
            self._tray.settle(self)

    def _normal(self, settlement: Settlement) -> Settlement:
        """Keep the cost within 0 and the hold; goodwill is settled first and given back later."""
        if settlement.goodwill_nusd > 0:
            settlement = replace(
                settlement,
                cost_nusd=max(settlement.cost_nusd, settlement.goodwill_nusd),
                state=Charge.State.SETTLED.value,
                reason=Charge.Reason.GOODWILL.value,
            )
        bounded = max(0, min(settlement.cost_nusd, self.hold_nusd))
        if bounded != settlement.cost_nusd:
            settlement = replace(settlement, cost_nusd=bounded)
        return settlement

    def _is_durable(self) -> bool:
        return self.durable.done() and not self.durable.cancelled() and self.durable.result()

    # The batcher's answers, on the event loop

    def on_intent(self, *, is_done: bool) -> None:
        """The intent stands, or was refused."""
        if self._lease is not None:
            if is_done:
                self._desk.confirmed(self._lease)
            else:
                self._desk.refused(self._lease)
                self._lease = None
        if not self.durable.done():
            self.durable.set_result(is_done)
        if self._end is not None and not self._end.done():
            if is_done:
                self._hand_in()
            else:
                self._end.set_result(False)

    def take_checkpoint(self) -> None:
        """The batcher has read the checkpoint: the next one is laid down anew."""
        self._is_dirty = False

    def on_extended(self, *, is_done: bool) -> None:
        """The larger hold stands, or the charge has ended; then its lease is not ours."""
        extending, self._extending = self._extending, None
        if is_done:
            self.hold_nusd = self.wanted_hold_nusd
        else:
            self.wanted_hold_nusd = self.hold_nusd
        if extending is not None and not extending.done():
            extending.set_result(is_done)
        if self._end is not None and not self._end.done():
            self._tray.settle(self)

    def on_spooled(self) -> None:
        """The settle is on this machine's disk; the database hears of it when it is back."""
        if self._end is not None and not self._end.done():
            self._end.set_result(True)

    def on_settled(self, *, is_done: bool) -> None:
        """The settle stands, or a sweeper was first."""
        lease, self._lease = self._lease, None
        cost = self.settlement.cost_nusd
        if is_done:
            if lease is not None:
                self._desk.ended(lease, returned_nusd=self.hold_nusd - cost)
        elif lease is not None:
            self._desk.lost(lease)
        if self._end is not None and not self._end.done():
            self._end.set_result(is_done)


_desk: Desk | None = None
_tray: Tray | None = None


def install(desk: Desk | None, tray: Tray | None) -> None:
    """Make these the ones that this process's charges come to (billing.bank)."""
    global _desk, _tray
    _desk, _tray = desk, tray


def open_charge(grant: Grant, *, request_id: uuid.UUID) -> OpenCharge:
    """Turn a hold into a charge, and queue its intent at once.

    Raises: MoneyUnavailable when the bank was closed since.
    """
    if _desk is None or _tray is None:
        raise MoneyUnavailable
    lease = _desk.lease_of(grant)
    return OpenCharge(grant, request_id=request_id, desk=_desk, tray=_tray, lease=lease)


def ensure_partitions(*, days: int = 7, today: dt.date | None = None) -> int:
    """Make the charge table's day partitions, from today on; return how many days stand ahead.

    PostgreSQL only; elsewhere there is one table. Rows of a day without a partition go to the
    DEFAULT one, so that a late call loses nothing.
    """
    if connection.vendor != "postgresql":
        return 0
    first = today or dt.datetime.now(dt.UTC).date()
    made = 0
    for number in range(days + 1):
        made += _ensure_partition(first + number * timeids.DAY)
    return made


def _ensure_partition(day: dt.date) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_PARTITION_LOCK])
        cursor.execute("SELECT to_regclass(%s)", [f"billing_charge_{day:%Y%m%d}"])
        if cursor.fetchone()[0] is not None:
            return True
        sql = timeids.partition_sql("billing_charge", day)
        cursor.execute(f"{sql} WITH (fillfactor = {FILLFACTOR})")
    return True
