"""Transactions that move credit between wallets and leases: one wallet for each.

Lock order everywhere: wallet, budgets, lease, charges. All amounts are nUSD.
"""

import datetime as dt
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from billing import closing, ledger, windows, workers
from billing.grants import Limit
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

    A lease whose budgets have started over since does not grow: another is taken in its place.

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
    # What bounds the caller most when nothing is in flight.
    limit: Limit
    # Unix time from which nothing may be granted from the lease: a budget starts over.
    until: float | None = None
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
        self.carried: Mapping[int, int] = {}
        wanted = Q(pk__in=ids)
        if order.known is not None:
            wanted |= Q(worker=order.boot, wallet=order.wallet_id, state__in=LIVE)
        rows = Lease.objects.select_for_update().filter(wanted).order_by("pk")
        self.leases = {row.pk: row for row in rows} if ids or order.known is not None else {}

    def live(self, lease_id: int) -> Lease | None:
        lease = self.leases.get(lease_id)
        return lease if lease is not None and lease.state in LIVE else None

    def turn(self, now: dt.datetime) -> None:
        """Let budgets start over where it is time, and see what older leases still hold."""
        windows.turn(self.budgets.values(), now=now)
        if any(b.period_start and b.leased_nusd for b in self.budgets.values()):
            self.carried = windows.carried(self.order.wallet_id)

    def room(self, budgets: Sequence[Budget]) -> int:
        """Return what can be leased now."""
        wallet = self.wallet
        if wallet is None:
            return 0
        room = wallet.credit_nusd - wallet.debit_nusd - wallet.leased_nusd - wallet.reserved_nusd
        return max(min([room, *map(self.left, budgets)]), 0)

    def left(self, budget: Budget) -> int:
        """Return what a budget has left in its window, beside what is held for it."""
        held = budget.leased_nusd - self.carried.get(budget.pk, 0)
        return budget.limit_nusd - budget.spent_nusd - held

    def limit(self, budgets: Sequence[Budget]) -> Limit:
        """Return what bounds the caller most; of two that are used up, what lasts longer."""
        wallet = self.wallet
        if wallet is None:
            return Limit()
        whole = wallet.credit_nusd - wallet.debit_nusd - wallet.reserved_nusd
        limits = [Limit(left_nusd=whole), *map(_limit, budgets)]
        return min(limits, key=_urgency)


def _limit(budget: Budget) -> Limit:
    return Limit(
        name=budget.period,
        amount_nusd=budget.limit_nusd,
        left_nusd=max(budget.limit_nusd - budget.spent_nusd, 0),
        resets_at=windows.resets_at(budget),
    )


def _urgency(limit: Limit) -> tuple[int, float]:
    ends = limit.resets_at.timestamp() if limit.resets_at else math.inf
    return limit.left_nusd, -ends


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
    return [budget for budget, _ in _draws(session, lease)]


def _draws(session: _Session, lease: Lease) -> list[tuple[Budget, bool]]:
    """Return the budgets of a lease, and whether the window that it was taken in still runs."""
    if not session.budgets:
        return []
    links = LeaseBudget.objects.filter(lease=lease).order_by("budget")
    found = [
        (session.budgets.get(b), start)
        for b, start in links.values_list("budget_id", "period_start")
    ]
    return [(b, b.period_start == start) for b, start in found if b is not None]


def _move(session: _Session, lease: Lease, change: int, budgets: Iterable[Budget]) -> bool:
    """Move credit into (change > 0) or out of a lease; False, with nothing moved, if short."""
    available = F("credit_nusd") - F("debit_nusd") - F("leased_nusd") - F("reserved_nusd")
    wallets = Wallet.objects.filter(pk=session.order.wallet_id)
    if change > 0:
        wallets = wallets.annotate(available=available).filter(available__gte=change, frozen=False)
    with transaction.atomic():
        moved = wallets.update(leased_nusd=F("leased_nusd") + change)
        for budget in budgets:
            moved = moved and _move_budget(session, budget, change)
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


def _move_budget(session: _Session, budget: Budget, change: int) -> int:
    rows = Budget.objects.filter(pk=budget.pk)
    if change > 0:
        held = F("leased_nusd") - session.carried.get(budget.pk, 0)
        rows = rows.filter(limit_nusd__gte=F("spent_nusd") + held + change)
    return rows.update(leased_nusd=F("leased_nusd") + change)


def _fund_all(session: _Session, done: Done) -> None:
    order = session.order
    done.is_frozen = bool(session.wallet and session.wallet.frozen)
    if not done.is_frozen and not workers.is_alive(order.boot):
        raise WorkerExpired
    session.turn(timezone.now())
    for fund in order.funds:
        done.funded.append(_fund(session, fund, done))


def _fund(session: _Session, fund: Fund, done: Done) -> Funded:
    lease, budgets = _lease_of(session, fund, done)
    left = fund.left_nusd if lease else 0
    room = session.room(budgets)
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
        room_nusd=session.room(budgets),
        is_poor=is_poor,
        limit=session.limit(budgets),
        until=min((at.timestamp() for at in map(windows.resets_at, budgets) if at), default=None),
        elsewhere_nusd=_elsewhere(session) if len(fits) < len(fund.holds) else 0,
    )


def _lease_of(session: _Session, fund: Fund, done: Done) -> tuple[Lease | None, list[Budget]]:
    """Return the lease to grow, None to take one, and the budgets that bound it."""
    lease = None if fund.lease_id is None else session.live(fund.lease_id)
    if lease is not None:
        draws = _draws(session, lease)
        if all(is_running for _, is_running in draws):
            return lease, [budget for budget, _ in draws]
    elif fund.lease_id is not None:
        done.dead.add(fund.lease_id)
    # A lease of a window that has ended does not grow: another is taken in its place.
    return None, [b for b in session.budgets.values() if b.api_key_id == fund.api_key_id]


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
    LeaseBudget.objects.bulk_create(
        LeaseBudget(lease=lease, budget=b, period_start=b.period_start) for b in budgets
    )
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
