"""What a worker knows of its leases: plain records of the event loop, no I/O."""

import asyncio
import time
import uuid
from collections import deque
from dataclasses import dataclass

from billing.vault import Fund, Order


@dataclass(slots=True, kw_only=True, eq=False)
class LocalLease:
    """A lease of this worker. left = amount - what grants hold - what settled."""

    id: int
    pocket: "Pocket"
    amount_nusd: int = 0
    left_nusd: int = 0
    # Grants that have not ended, and those among them whose intent is not answered yet.
    grants: int = 0
    unconfirmed: int = 0
    born_at: float = 0.0
    # Unix time from which nothing is granted from it: a budget of its key starts over.
    until: float | None = None
    is_poor: bool = False
    is_draining: bool = False
    # The database knows that it drains.
    is_drained: bool = False
    # Not ours any more: reclaimed, or closed by us.
    is_dead: bool = False
    # The database may hold a larger amount than `amount_nusd`.
    owes: bool = False

    @property
    def is_past(self) -> bool:
        """True when the window that it was taken in has ended."""
        return self.until is not None and time.time() >= self.until


@dataclass(slots=True, kw_only=True, eq=False)
class Waiter:
    """A request that waits for credit; with `lease`, an extension of a hold on that lease."""

    hold_nusd: int
    future: "asyncio.Future[LocalLease]"
    lease: LocalLease | None = None
    # Loop time until which other workers are asked to return idle credit; 0: not asked yet.
    recall_until: float = 0.0


@dataclass(slots=True, kw_only=True)
class Sent:
    """The waiters whose wish is with the teller; `pocket` unless they are extensions."""

    queue: deque[Waiter]
    waiters: list[Waiter]
    pocket: "Pocket | None"


class Pocket:
    """The grants of one wallet under the same budgets, and the one lease that they draw on.

    `api_key_id`: the key that holds the budgets, None without any.
    """

    __slots__ = ("api_key_id", "lease", "purse", "waiters")

    def __init__(self, purse: "Purse", api_key_id: int | None) -> None:
        self.purse = purse
        self.api_key_id = api_key_id
        self.lease: LocalLease | None = None
        self.waiters: deque[Waiter] = deque()

    def usable(self) -> LocalLease | None:
        """Return the lease to grant from; one whose window has ended is retired instead."""
        lease = self.lease
        if lease is not None and lease.is_past:
            retire(lease)
            return None
        return lease


class Purse:
    """All that a worker holds of one wallet. One order at a time is with the teller."""

    __slots__ = (
        "extensions", "is_busy", "is_dropped", "is_in_doubt", "is_paused", "leases", "pockets",
        "sent", "wallet_id",
    )  # fmt: skip

    def __init__(self, wallet_id: int) -> None:
        self.wallet_id = wallet_id
        self.pockets: dict[int | None, Pocket] = {}
        self.leases: dict[int, LocalLease] = {}
        self.extensions: deque[Waiter] = deque()
        self.is_busy = False
        # The latest order failed: it may stand or not.
        self.is_in_doubt = False
        # Waiters wait for what other workers return.
        self.is_paused = False
        # The worker's life was over: nothing here counts any more.
        self.is_dropped = False
        self.sent: dict[int, Sent] = {}

    def pocket(self, api_key_id: int | None) -> Pocket:
        found = self.pockets.get(api_key_id)
        if found is None:
            found = self.pockets[api_key_id] = Pocket(self, api_key_id)
        return found

    @property
    def is_empty(self) -> bool:
        return not (
            self.leases
            or self.is_in_doubt
            or self.is_busy
            or self.extensions
            or any(p.waiters for p in self.pockets.values())
        )


def drop(queue: deque[Waiter], waiter: Waiter) -> None:
    """Take a waiter out of its queue, wherever it stands."""
    if queue and queue[0] is waiter:
        queue.popleft()
    elif waiter in queue:
        queue.remove(waiter)


def retire(lease: LocalLease) -> None:
    """Grant nothing more from a lease; it closes with its last grant."""
    lease.is_draining = True
    if lease.pocket.lease is lease:
        lease.pocket.lease = None


def is_over(lease: LocalLease) -> bool:
    """Tell whether a lease waits only to be closed."""
    return lease.is_draining and lease.grants == 0


def gives(lease: LocalLease) -> bool:
    """Tell whether a lease has something to give back now."""
    if is_over(lease) or lease.is_dead:
        return False
    is_wanted_here = bool(lease.pocket.waiters) and lease.pocket.lease is lease
    has_idle = lease.left_nusd > 0 and (lease.is_poor or lease.is_draining) and not is_wanted_here
    return has_idle or lease.owes


def compose(purse: Purse, *, boot: uuid.UUID, waiters_max: int) -> Order | None:
    """Collect what the worker wants of a wallet; None when that is nothing.

    Leases that give back are lessened here at once, before the teller tells the database.
    """
    leases = purse.leases.values()
    closes = tuple(lease.id for lease in leases if is_over(lease))
    drains = tuple(
        lease.id for lease in leases
        if lease.is_draining and not lease.is_drained and lease.grants and not lease.unconfirmed
    )  # fmt: skip
    targets = tuple((lease.id, _lessen(lease)) for lease in leases if gives(lease))
    purse.sent = {} if purse.is_paused else _sent(purse, waiters_max)
    if not (closes or drains or targets or purse.sent or purse.is_in_doubt):
        return None
    return Order(
        boot=boot,
        wallet_id=purse.wallet_id,
        closes=closes,
        targets=targets,
        drains=drains,
        funds=tuple(_fund(ref, sent) for ref, sent in purse.sent.items()),
        has_budgets=purse.is_in_doubt or any(key is not None for key in purse.pockets),
        known=frozenset(purse.leases) if purse.is_in_doubt else None,
    )


def _lessen(lease: LocalLease) -> int:
    lease.amount_nusd -= lease.left_nusd
    lease.left_nusd = 0
    lease.owes = True
    return lease.amount_nusd


def _sent(purse: Purse, waiters_max: int) -> dict[int, Sent]:
    """Gather who waits: pockets under refs from 0 on, extensions by lease under refs below."""
    gathered = {
        ref: Sent(queue=pocket.waiters, waiters=list(pocket.waiters)[:waiters_max], pocket=pocket)
        for ref, pocket in enumerate(purse.pockets.values())
        if pocket.waiters
    }
    by_lease: dict[int, list[Waiter]] = {}
    for waiter in list(purse.extensions)[:waiters_max]:
        if waiter.lease is not None:
            by_lease.setdefault(waiter.lease.id, []).append(waiter)
    for number, waiters in enumerate(by_lease.values()):
        gathered[-1 - number] = Sent(queue=purse.extensions, waiters=waiters, pocket=None)
    return gathered


def _fund(ref: int, sent: Sent) -> Fund:
    lease = sent.pocket.lease if sent.pocket else sent.waiters[0].lease
    return Fund(
        ref=ref,
        lease_id=lease.id if lease else None,
        api_key_id=sent.pocket.api_key_id if sent.pocket else None,
        left_nusd=lease.left_nusd if lease else 0,
        holds=tuple(w.hold_nusd for w in sent.waiters),
        is_extension=sent.pocket is None,
    )
