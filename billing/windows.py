"""Windows of recurring budgets: days, weeks from Monday and months, in UTC.

A lease belongs to the window in which it was taken (LeaseBudget.period_start) and is granted from
only until that window ends, so a request is counted where it was admitted. The first taker in a
new window turns the budget; leases of the old one close later and are not counted again.
"""

import datetime as dt
from collections.abc import Iterable, Mapping

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.models import Budget, LeaseBudget

Period = Budget.Period
# The shortest first.
PERIODS: tuple[str, ...] = (Period.DAILY, Period.WEEKLY, Period.MONTHLY, Period.TOTAL)

_CARRIED = """
SELECT b.id, SUM(l.amount_nusd)
FROM billing_lease l
JOIN billing_leasebudget lb ON lb.lease_id = l.id
JOIN billing_budget b ON b.id = lb.budget_id
WHERE l.wallet_id = %s AND l.state IN ('active', 'draining') AND lb.period_start < b.period_start
GROUP BY b.id
"""


def start(period: str, now: dt.datetime) -> dt.date | None:
    """Return the first day of the window that a moment is in; None for what never starts over."""
    today = now.astimezone(dt.UTC).date()
    match period:
        case Period.DAILY:
            return today
        case Period.WEEKLY:
            return today - dt.timedelta(days=today.weekday())
        case Period.MONTHLY:
            return today.replace(day=1)
        case _:
            return None


def end(period: str, first_day: dt.date | None) -> dt.datetime | None:
    """Return the moment at which the next window begins; None for what never starts over."""
    if first_day is None:
        return None
    match period:
        case Period.DAILY:
            day = first_day + dt.timedelta(days=1)
        case Period.WEEKLY:
            day = first_day + dt.timedelta(days=7)
        case _:
            day = (first_day + dt.timedelta(days=31)).replace(day=1)
    return dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)


def resets_at(budget: Budget) -> dt.datetime | None:
    """Return when a budget starts over; None for one that holds in total."""
    return end(budget.period, budget.period_start)


def has_ended(budget: Budget, now: dt.datetime) -> bool:
    """Tell whether the window that a budget counts is over; never so for one without windows."""
    first_day = start(budget.period, now)
    if first_day is None or budget.period_start is None:
        return False
    return budget.period_start < first_day


def turn(budgets: Iterable[Budget], *, now: dt.datetime) -> None:
    """Begin new windows where the old ones have ended; never backwards, whatever clocks say.

    Caller holds FOR UPDATE on the budgets. What live leases hold stays in `leased_nusd`.
    """
    for budget in budgets:
        if not has_ended(budget, now):
            continue
        first_day = start(budget.period, now)
        old = Budget.objects.filter(pk=budget.pk, period_start__lt=first_day)
        if old.update(period_start=first_day, spent_nusd=0):
            budget.period_start, budget.spent_nusd = first_day, 0


def carried(wallet_id: int) -> Mapping[int, int]:
    """Return, by budget, what live leases of a wallet hold for windows that have ended, nUSD."""
    with connection.cursor() as cursor:
        cursor.execute(_CARRIED, [wallet_id])
        return {int(budget_id): int(amount) for budget_id, amount in cursor.fetchall()}


def counting(lease_id: int) -> QuerySet[Budget]:
    """Return the budgets whose present window a lease belongs to."""
    own = LeaseBudget.objects.filter(lease=lease_id, budget=OuterRef("pk"))
    same = Q(period_start=OuterRef("period_start")) | Q(period_start__isnull=True)
    return Budget.objects.filter(Exists(own.filter(same)))
