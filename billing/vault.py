"""Transactions that move credit between wallets and leases: one wallet for each.

Lock order everywhere: wallet, budgets, lease, charges. All amounts are nUSD.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from billing import closing, ledger, workers
from billing.models import Budget, Charge, Lease, LeaseBudget, Wallet

# Above so many times of what is needed the wallet is rich: a worker takes a slice beforehand.
RICH_TIMES = 64
SLICE_PARTS = 8
CLOSING_BROKE = (closing.LeaseBroken, ledger.InsufficientBalance, IntegrityError)
LIVE = (Lease.State.ACTIVE, Lease.State.DRAINING)


class WorkerExpired(Exception):
    """The worker's life is not confirmed: it may not take credit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fund:
    """A wish to hold more: grow `lease_id`, or take a lease (with the budgets of `api_key_id`).

    `holds` wait in this order; `left_nusd` of the lease is free already.
    """

    ref: int
    lease_id: int | None
    api_key_id: int | None
    left_nusd: int
    holds: tuple[int, ...]
    is_extension: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """All that a worker wants of one wallet now; idempotent, so that it may be repeated."""

    boot: uuid.UUID
    wallet_id: int
    closes: tuple[int, ...] = ()
    # (lease, amount): give back what is above the amount.
    targets: tuple[tuple[int, int], ...] = ()
    drains: tuple[int, ...] = ()
    funds: tuple[Fund, ...] = ()
    has_budgets: bool = True
    # After a failure: the leases that the worker knows; it closes others of its own.
    known: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Funded:
    """What a wish brought. `room_nusd`: what the caller could still hold beside the lease."""

    ref: int
    lease_id: int | None
    amount_nusd: int
    room_nusd: int
    is_poor: bool
    # What would be free if nothing were in flight.
    whole_nusd: int
    limit: str
    # What other workers hold without using it.
    elsewhere_nusd: int = 0


@dataclass(slots=True, kw_only=True)
class Done:
    """The answer to an order. `dead`: leases that are not ours any more."""

    is_frozen: bool = False
    funded: list[Funded] = field(default_factory=list)
    dead: set[int] = field(default_factory=set)


class _Session:
    """The locked rows of one order."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.wallet = Wallet.objects.select_for_update().filter(pk=order.wallet_id).first()
        keys = {f.api_key_id for f in order.funds if f.api_key_id is not None}
        ids = {f.lease_id for f in order.funds if f.lease_id is not None}
        ids |= {*order.closes, *order.drains, *(lease for lease, _ in order.targets)}
        self.budgets = _lock_budgets(keys, ids) if order.has_budgets else {}
        wanted = Q(pk__in=ids)
        if order.known is not None:
            wanted |= Q(worker=order.boot, wallet=order.wallet_id, state__in=LIVE)
        rows = Lease.objects.select_for_update().filter(wanted).order_by("pk")
        self.leases = {row.pk: row for row in rows} if ids or order.known is not None else {}

    def live(self, lease_id: int) -> Lease | None:
        lease = self.leases.get(lease_id)
        return lease if lease is not None and lease.state in LIVE else None

    def room(self, budgets: Sequence[Budget]) -> tuple[int, str]:
        """Return what can be leased now, and whose limit that is."""
        wallet = self.wallet
        if wallet is None:
            return 0, "wallet"
        room = wallet.credit_nusd - wallet.debit_nusd - wallet.leased_nusd - wallet.reserved_nusd
        limit = "wallet"
        for budget in budgets:
            left = budget.limit_nusd - budget.spent_nusd - budget.leased_nusd
            if left < room:
                room, limit = left, "key"
        return max(room, 0), limit

    def whole(self, budgets: Sequence[Budget]) -> int:
        if self.wallet is None:
            return 0
        whole = self.wallet.credit_nusd - self.wallet.debit_nusd - self.wallet.reserved_nusd
        return min([whole, *(b.limit_nusd - b.spent_nusd for b in budgets)])


def _lock_budgets(keys: set[int], lease_ids: set[int]) -> dict[int, Budget]:
    of_leases = LeaseBudget.objects.filter(lease__in=lease_ids).values("budget")
    wanted = Budget.objects.filter(Q(api_key__in=keys) | Q(pk__in=of_leases)).order_by("pk")
    return {budget.pk: budget for budget in wanted.select_for_update()}


def work(order: Order) -> Done:
    """Do an order in one transaction.

    Raises: WorkerExpired; django.db.Error, after which the order may or may not stand.
    """
    done = Done()
    with transaction.atomic():
        session = _Session(order)
        _close_all(session, done)
        for lease_id, amount in order.targets:
            _shrink(session, lease_id, amount, done)
        if order.drains:
            Lease.objects.filter(pk__in=order.drains, state=Lease.State.ACTIVE).update(
                state=Lease.State.DRAINING
            )
        if order.funds:
            _fund_all(session, done)
    return done


def _close_all(session: _Session, done: Done) -> None:
    order = session.order
    unknown = [] if order.known is None else [i for i in session.leases if i not in order.known]
    for lease_id in (*order.closes, *unknown):
        lease = session.live(lease_id)
        if lease is None:
            continue  # an earlier try, or a sweeper, has closed it
        closing.close(lease, state=Lease.State.CLOSED)
        if session.wallet is not None:
            session.wallet.refresh_from_db()
        for budget in session.budgets.values():
            budget.refresh_from_db()
        lease.state = Lease.State.CLOSED
    if order.known is not None:
        done.dead |= {i for i in order.known if session.live(i) is None}


def _shrink(session: _Session, lease_id: int, amount: int, done: Done) -> None:
    lease = session.live(lease_id)
    if lease is None:
        done.dead.add(lease_id)
        return
    if lease.amount_nusd > amount:
        _move(session, lease, amount - lease.amount_nusd, _budgets_of(session, lease))


def _budgets_of(session: _Session, lease: Lease) -> list[Budget]:
    if not session.budgets:
        return []
    linked = LeaseBudget.objects.filter(lease=lease).values_list("budget_id", flat=True)
    return [session.budgets[pk] for pk in sorted(linked) if pk in session.budgets]


def _move(session: _Session, lease: Lease, change: int, budgets: Iterable[Budget]) -> bool:
    """Move credit into (change > 0) or out of a lease; False, with nothing moved, if short."""
    available = F("credit_nusd") - F("debit_nusd") - F("leased_nusd") - F("reserved_nusd")
    wallets = Wallet.objects.filter(pk=session.order.wallet_id)
    if change > 0:
        wallets = wallets.annotate(available=available).filter(available__gte=change, frozen=False)
    with transaction.atomic():
        moved = wallets.update(leased_nusd=F("leased_nusd") + change)
        for budget in budgets:
            moved = moved and _move_budget(budget, change)
        if moved:
            moved = Lease.objects.filter(pk=lease.pk, state__in=LIVE).update(
                amount_nusd=F("amount_nusd") + change
            )
        if not moved:
            transaction.set_rollback(True)
            return False
    lease.amount_nusd += change
    if session.wallet is not None:
        session.wallet.leased_nusd += change
    for budget in budgets:
        budget.leased_nusd += change
    return True


def _move_budget(budget: Budget, change: int) -> int:
    rows = Budget.objects.filter(pk=budget.pk)
    if change > 0:
        rows = rows.filter(limit_nusd__gte=F("spent_nusd") + F("leased_nusd") + change)
    return rows.update(leased_nusd=F("leased_nusd") + change)


def _fund_all(session: _Session, done: Done) -> None:
    order = session.order
    done.is_frozen = bool(session.wallet and session.wallet.frozen)
    if not done.is_frozen and not workers.is_alive(order.boot):
        raise WorkerExpired
    for fund in order.funds:
        done.funded.append(_fund(session, fund, done))


def _fund(session: _Session, fund: Fund, done: Done) -> Funded:
    lease = None if fund.lease_id is None else session.live(fund.lease_id)
    if fund.lease_id is not None and lease is None:
        done.dead.add(fund.lease_id)
    left = fund.left_nusd if lease else 0
    if lease is not None:
        budgets = _budgets_of(session, lease)
    else:
        budgets = [b for b in session.budgets.values() if b.api_key_id == fund.api_key_id]
    room, limit = session.room(budgets)
    fits = _fits(fund.holds, left + room)
    need = max(sum(fits) - left, 0)
    is_poor = room <= RICH_TIMES * (need or max(fund.holds))
    share = need
    if need and not is_poor:
        share = max(need, min(settings.LEASE_SLICE_NUSD_MAX, room // SLICE_PARTS))
    # An extension whose lease was reclaimed gets no other: its charge has ended.
    may_take = session.wallet is not None and not fund.is_extension
    if fits and not done.is_frozen and (lease is not None or may_take):
        lease = lease or _take(session, budgets)
        if share:
            _move(session, lease, share, budgets)
    return Funded(
        ref=fund.ref,
        lease_id=lease.pk if lease else None,
        amount_nusd=lease.amount_nusd if lease else 0,
        room_nusd=session.room(budgets)[0],
        is_poor=is_poor,
        whole_nusd=session.whole(budgets),
        limit=limit,
        elsewhere_nusd=_elsewhere(session) if len(fits) < len(fund.holds) else 0,
    )


def _fits(holds: Iterable[int], room: int) -> list[int]:
    """Return the holds that fit when served in order; a hold of 0 always does."""
    fits: list[int] = []
    for hold in holds:
        if hold <= room:
            fits.append(hold)
            room -= hold
    return fits


def _take(session: _Session, budgets: Iterable[Budget]) -> Lease:
    lease = Lease.objects.create(
        worker=session.order.boot,
        wallet_id=session.order.wallet_id,
        amount_nusd=0,
        created_at=timezone.now(),
    )
    LeaseBudget.objects.bulk_create(LeaseBudget(lease=lease, budget=b) for b in budgets)
    return lease


def _elsewhere(session: _Session) -> int:
    """Return what other workers' leases on this wallet hold idle; a hint, read unlocked."""
    others = Lease.objects.filter(wallet=session.order.wallet_id, state__in=LIVE).exclude(
        worker=session.order.boot
    )
    ids = dict(others.values_list("pk", "amount_nusd"))
    if not ids:
        return 0
    used = Charge.objects.filter(lease_id__in=ids).aggregate(
        used=Sum(Coalesce("cost_nusd", "hold_nusd"))
    )["used"]
    return max(sum(ids.values()) - (used or 0), 0)


def reclaim(lease_id: int, *, wallet_id: int) -> bool:
    """Close a lease whose worker's life is over: open charges end at their checkpoint.

    False when it is closed already, or its worker lives.
    """
    with transaction.atomic():
        Wallet.objects.select_for_update().get(pk=wallet_id)
        _lock_budgets(set(), {lease_id})
        lease = Lease.objects.select_for_update().get(pk=lease_id)
        if lease.state not in LIVE or workers.exists(lease.worker):
            return False
        closing.estimate(lease)
        closing.close(lease, state=Lease.State.RECLAIMED)
    return True


def orphans(limit: int) -> list[tuple[int, int]]:
    """Return (lease, wallet) of live leases without a worker."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.id, l.wallet_id FROM billing_lease l"
            " LEFT JOIN billing_worker w ON w.boot = l.worker"
            " WHERE l.state IN ('active', 'draining') AND w.boot IS NULL ORDER BY l.id LIMIT %s",
            [limit],
        )
        return [(int(lease), int(wallet)) for lease, wallet in cursor.fetchall()]
