"""A worker's leases and who waits for them; runs on the event loop, without I/O.

A worker has one growable lease for each (wallet, budgets). Requests that it cannot serve at
once wait in order; one order for each wallet is with the teller at a time.
"""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Protocol

from django.conf import settings

from billing import purses
from billing.grants import Grant, InsufficientCredit, MoneyUnavailable, WalletFrozen
from billing.purses import LocalLease, Pocket, Purse, Sent, Waiter
from billing.vault import Done, Funded, Order

WAITERS_MAX = 1_000
RECALL_S = 0.2
RECALL_TRY_S = 0.04
RETRY_S = 0.5


class Teller(Protocol):
    """Does orders on a thread of its own, in the order of their coming."""

    def submit(self, order: Order, answer: Callable[[Done | Exception], None]) -> None:
        """Do an order, then call `answer` on the event loop."""

    def recall(self, wallet_id: int) -> None:
        """Ask other workers to return what they hold idle of a wallet."""


class Desk:
    """A worker's leases. Everything here runs on the event loop."""

    def __init__(self, *, boot: uuid.UUID, teller: Teller, may_admit: Callable[[], bool]) -> None:
        self.boot = boot
        self._teller = teller
        self._may_admit = may_admit
        self._purses: dict[int, Purse] = {}
        self._leases: dict[int, LocalLease] = {}
        self._loop = asyncio.get_running_loop()
        self._is_closing = False
        self.grants = 0

    # Grants

    def try_admit(
        self, *, wallet_id: int, api_key_id: int | None, budget_key_id: int | None, hold_nusd: int
    ) -> Grant | None:
        """Hold from what is leased already; None when that must be asked for.

        `budget_key_id`: the key whose budgets hold for `api_key_id`, None without any.
        """
        purse = self._purses.get(wallet_id)
        if purse is None or not self._may_admit():
            return None
        pocket = purse.pockets.get(budget_key_id)
        if pocket is None or pocket.waiters:
            return None
        lease = pocket.usable()
        if lease is None or lease.left_nusd < hold_nusd:
            return None
        return self._grant(lease, wallet_id, api_key_id, hold_nusd)

    async def admit(
        self, *, wallet_id: int, api_key_id: int | None, budget_key_id: int | None, hold_nusd: int
    ) -> Grant:
        """Hold, taking or growing a lease if needed.

        Raises: InsufficientCredit, WalletFrozen, MoneyUnavailable.
        """
        if not self._may_admit() or self._is_closing:
            raise MoneyUnavailable
        if hold_nusd < 0:
            raise ValueError("a hold is never negative")
        grant = self.try_admit(
            wallet_id=wallet_id,
            api_key_id=api_key_id,
            budget_key_id=budget_key_id,
            hold_nusd=hold_nusd,
        )
        if grant is not None:
            return grant
        purse = self._purses.get(wallet_id)
        if purse is None:
            purse = self._purses[wallet_id] = Purse(wallet_id)
        pocket = purse.pocket(budget_key_id)
        if len(pocket.waiters) >= WAITERS_MAX:
            raise MoneyUnavailable
        waiter = Waiter(hold_nusd=hold_nusd, future=self._loop.create_future())
        pocket.waiters.append(waiter)
        self._wake(purse)
        lease = await self._wait(waiter)
        # _serve has taken the hold out of the lease already.
        return Grant(
            lease_id=lease.id, wallet_id=wallet_id, api_key_id=api_key_id, hold_nusd=hold_nusd
        )

    def release(self, grant: Grant) -> None:
        """Give back a hold that was never intended."""
        lease = self._leases.get(grant.lease_id)
        if lease is not None:
            lease.unconfirmed -= 1
            self._end(lease, returned_nusd=grant.hold_nusd)

    async def reserve(self, lease: LocalLease, more_nusd: int) -> bool:
        """Hold more for an open charge, from its own lease; False when there is no more."""
        if lease.is_dead:
            return False
        if lease.left_nusd >= more_nusd and not lease.pocket.waiters:
            lease.left_nusd -= more_nusd
            return True
        waiter = Waiter(hold_nusd=more_nusd, future=self._loop.create_future(), lease=lease)
        lease.pocket.purse.extensions.append(waiter)
        self._wake(lease.pocket.purse)
        try:
            await self._wait(waiter)
        except (InsufficientCredit, WalletFrozen, MoneyUnavailable):
            return False
        return True

    async def _wait(self, waiter: Waiter) -> LocalLease:
        try:
            return await waiter.future
        except asyncio.CancelledError:
            future = waiter.future
            if future.done() and not future.cancelled() and future.exception() is None:
                # Served in the moment of the cancellation: the hold goes back.
                lease = future.result()
                if waiter.lease is None:
                    lease.unconfirmed -= 1
                    self._end(lease, returned_nusd=waiter.hold_nusd)
                else:
                    self.unreserve(lease, waiter.hold_nusd)
            raise

    def _grant(
        self, lease: LocalLease, wallet_id: int, api_key_id: int | None, hold_nusd: int
    ) -> Grant:
        lease.left_nusd -= hold_nusd
        lease.grants += 1
        lease.unconfirmed += 1
        self.grants += 1
        return Grant(
            lease_id=lease.id, wallet_id=wallet_id, api_key_id=api_key_id, hold_nusd=hold_nusd
        )

    # Charges tell how their grants go on

    def lease_of(self, grant: Grant) -> LocalLease | None:
        return self._leases.get(grant.lease_id)

    def confirmed(self, lease: LocalLease) -> None:
        """The intent stands."""
        lease.unconfirmed -= 1
        if lease.is_draining:
            self._wake(lease.pocket.purse)

    def refused(self, lease: LocalLease) -> None:
        """The intent was refused: the lease is not ours, or nearly so.

        The hold does not come back: an intent whose commit went unanswered may stand after all.
        It is freed when the lease closes.
        """
        lease.unconfirmed -= 1
        purses.retire(lease)
        self._end(lease, returned_nusd=0)

    def ended(self, lease: LocalLease, *, returned_nusd: int) -> None:
        """The charge ended in the database; what it did not use is free again."""
        self._end(lease, returned_nusd=returned_nusd)

    def lost(self, lease: LocalLease) -> None:
        """A sweeper ended the charge, so the lease is not ours any more."""
        purses.retire(lease)
        self._end(lease, returned_nusd=0)

    def unreserve(self, lease: LocalLease, more_nusd: int) -> None:
        """Give back what reserve() brought and no extension used."""
        lease.left_nusd += more_nusd
        if not lease.is_dead and purses.gives(lease):
            self._wake(lease.pocket.purse)

    def _end(self, lease: LocalLease, *, returned_nusd: int) -> None:
        lease.left_nusd += returned_nusd
        lease.grants -= 1
        self.grants -= 1
        if lease.is_dead:
            return
        purse = lease.pocket.purse
        if lease.pocket.waiters:
            self._serve_local(lease.pocket)
        if purses.is_over(lease) or purses.gives(lease) or lease.pocket.waiters:
            self._wake(purse)

    # Orders

    def _wake(self, purse: Purse) -> None:
        """Send the wallet's wishes to the teller, unless an order is there already."""
        if purse.is_busy:
            return
        order = purses.compose(purse, boot=self.boot, waiters_max=WAITERS_MAX)
        if order is None:
            if purse.is_empty:
                self._purses.pop(purse.wallet_id, None)
            return
        purse.is_busy = True
        self._teller.submit(order, lambda answer: self._answered(purse, order, answer))

    def _answered(self, purse: Purse, order: Order, answer: Done | Exception) -> None:
        purse.is_busy = False
        sent, purse.sent = purse.sent, {}
        if purse.is_dropped or isinstance(answer, Exception):
            purse.is_in_doubt = True
            for one in sent.values():
                _fail_all(one.queue, one.waiters, MoneyUnavailable)
            if not purse.is_dropped:
                self._loop.call_later(RETRY_S, self._wake, purse)
            return
        purse.is_in_doubt = False
        self._forget(purse, order, answer)
        for funded in answer.funded:
            self._fund(purse, funded, sent[funded.ref], is_frozen=answer.is_frozen)
        self._wake(purse)

    def _forget(self, purse: Purse, order: Order, done: Done) -> None:
        for lease_id in (*order.closes, *done.dead):
            if lease := purse.leases.pop(lease_id, None):
                lease.is_dead = True
                purses.retire(lease)
                self._leases.pop(lease_id, None)
        for lease_id in order.drains:
            if lease := purse.leases.get(lease_id):
                lease.is_drained = True
        for lease_id, _ in order.targets:
            if lease := purse.leases.get(lease_id):
                lease.owes = False

    def _fund(self, purse: Purse, funded: Funded, sent: Sent, *, is_frozen: bool) -> None:
        lease = self._funded(purse, funded, sent.pocket)
        for waiter in sent.waiters:
            if waiter.future.done():
                purses.drop(sent.queue, waiter)
            elif lease is not None and lease.left_nusd >= waiter.hold_nusd:
                purses.drop(sent.queue, waiter)
                self._serve(lease, waiter)
            elif is_frozen:
                _fail(sent.queue, waiter, WalletFrozen())
            elif not self._may_wait(purse, funded, waiter):
                left = lease.left_nusd if lease else 0
                short = InsufficientCredit(
                    available_nusd=left + funded.room_nusd,
                    is_in_flight=funded.limit.left_nusd >= waiter.hold_nusd,
                    limit=funded.limit,
                )
                _fail(sent.queue, waiter, short)

    def _funded(self, purse: Purse, funded: Funded, pocket: Pocket | None) -> LocalLease | None:
        """Bring the lease's record to what the database says of it."""
        if funded.lease_id is None:
            return None
        lease = purse.leases.get(funded.lease_id)
        if lease is None:
            if pocket is None:
                return None
            lease = LocalLease(id=funded.lease_id, pocket=pocket, born_at=time.monotonic())
            purse.leases[lease.id] = self._leases[lease.id] = lease
            if pocket.lease is not None:
                purses.retire(pocket.lease)  # its budgets have started over
            pocket.lease = lease
        lease.left_nusd += funded.amount_nusd - lease.amount_nusd
        lease.amount_nusd = funded.amount_nusd
        lease.is_poor = funded.is_poor
        lease.until = funded.until
        return lease

    def _serve(self, lease: LocalLease, waiter: Waiter) -> None:
        lease.left_nusd -= waiter.hold_nusd
        if waiter.lease is None:
            lease.grants += 1
            lease.unconfirmed += 1
            self.grants += 1
        waiter.future.set_result(lease)

    def _serve_local(self, pocket: Pocket) -> None:
        """Serve who waits, in order, from what came back."""
        lease = pocket.usable()
        while lease is not None and pocket.waiters:
            waiter = pocket.waiters[0]
            if not waiter.future.done():
                if lease.left_nusd < waiter.hold_nusd:
                    return
                self._serve(lease, waiter)
            pocket.waiters.popleft()

    def _may_wait(self, purse: Purse, funded: Funded, waiter: Waiter) -> bool:
        """Tell whether idle credit may come back for a waiter that is short; ask for it once."""
        siblings = [
            lease for lease in purse.leases.values()
            if lease.left_nusd > 0 and not lease.is_draining and lease.id != funded.lease_id
        ]  # fmt: skip
        for lease in siblings:
            lease.is_poor = True  # gives back in the next order, before the wait is tried again
        if any(purses.gives(lease) for lease in siblings):
            return True
        if funded.room_nusd + funded.elsewhere_nusd < waiter.hold_nusd or not funded.elsewhere_nusd:
            return False
        now = self._loop.time()
        if not waiter.recall_until:
            waiter.recall_until = now + RECALL_S
            if not purse.is_paused:
                self._teller.recall(purse.wallet_id)
        if now >= waiter.recall_until:
            return False
        if not purse.is_paused:
            purse.is_paused = True
            self._loop.call_later(RECALL_TRY_S, self._resume, purse)
        return True

    def _resume(self, purse: Purse) -> None:
        purse.is_paused = False
        self._wake(purse)

    # The life of leases

    def rotate(self) -> None:
        """Retire leases that are old, or whose window has ended, whatever the heartbeats."""
        oldest = time.monotonic() - settings.LEASE_ROTATION_S
        for purse in list(self._purses.values()):
            old = [
                lease
                for lease in purse.leases.values()
                if (lease.born_at <= oldest or lease.is_past) and not lease.is_draining
            ]
            for lease in old:
                purses.retire(lease)
            if old:
                self._wake(purse)

    def give_back(self, wallet_id: int | None) -> None:
        """Return what is idle: another worker asks for it (None: of every wallet)."""
        for purse in self._chosen(wallet_id):
            for lease in purse.leases.values():
                lease.is_poor = True
            self._wake(purse)

    def drain(self, wallet_id: int | None) -> None:
        """Admit nothing more from current leases: the wallet may be frozen (None: every wallet)."""
        for purse in self._chosen(wallet_id):
            for lease in list(purse.leases.values()):
                purses.retire(lease)
            self._wake(purse)

    def _chosen(self, wallet_id: int | None) -> list[Purse]:
        if wallet_id is None:
            return list(self._purses.values())
        purse = self._purses.get(wallet_id)
        return [purse] if purse else []

    def drop(self) -> None:
        """Forget every lease: a sweeper ended this worker's life."""
        for purse in self._purses.values():
            purse.is_dropped = True
            for lease in purse.leases.values():
                lease.is_dead = True
                purses.retire(lease)
            for queue in (purse.extensions, *(p.waiters for p in purse.pockets.values())):
                _fail_all(queue, list(queue), MoneyUnavailable)
        self._purses.clear()
        self._leases.clear()

    async def close(self, *, timeout_s: float) -> bool:
        """Close every lease once its grants have ended; False when some are left."""
        self._is_closing = True
        self.drain(None)
        deadline = self._loop.time() + timeout_s
        while self._purses and self._loop.time() < deadline:
            await asyncio.sleep(0.01)
        return not self._purses


def _fail(queue: deque[Waiter], waiter: Waiter, error: Exception) -> None:
    purses.drop(queue, waiter)
    if not waiter.future.done():
        waiter.future.set_exception(error)


def _fail_all(queue: deque[Waiter], waiters: list[Waiter], error: Callable[[], Exception]) -> None:
    for waiter in waiters:
        _fail(queue, waiter, error())
