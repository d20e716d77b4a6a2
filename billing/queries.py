"""What pages and the API show of an account's money."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Sum, Value, When

from accounts import planned
from accounts.timeids import DAY, bound
from billing import windows
from billing.models import Budget, Charge, Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """An account's money, nUSD. available = credit - spent - in flight - reserved."""

    available_nusd: int
    # Held by requests that run.
    in_flight_nusd: int
    # All that was ever credited, corrections included.
    credit_nusd: int
    # All that was ever spent, requests of leases that are not closed yet included.
    spent_nusd: int

    @property
    def reserved_nusd(self) -> int:
        """Set aside for disputes."""
        return self.credit_nusd - self.spent_nusd - self.in_flight_nusd - self.available_nusd


_BALANCE = """
SELECT w.credit_nusd, w.debit_nusd + COALESCE(SUM(c.cost_nusd), 0), w.reserved_nusd,
    COALESCE(SUM(CASE WHEN c.state = 'open' THEN c.hold_nusd END), 0)
FROM billing_wallet w
LEFT JOIN billing_lease l ON l.wallet_id = w.account_id AND l.state IN ('active', 'draining')
LEFT JOIN billing_charge c ON c.lease_id = l.id
WHERE w.account_id = %s
GROUP BY w.account_id, w.credit_nusd, w.debit_nusd, w.reserved_nusd
"""


def balance(account_id: int) -> Balance:
    """Return an account's balance, from one query over its wallet and live leases.

    Credit that workers hold idle is the account's and counts as available.
    """
    found = planned.rows(_BALANCE, [account_id])
    credit, spent, reserved, in_flight = map(int, found[0]) if found else (0, 0, 0, 0)
    return Balance(
        available_nusd=credit - spent - reserved - in_flight,
        in_flight_nusd=in_flight,
        credit_nusd=credit,
        spent_nusd=spent,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a key's ended requests cost, nUSD; days, weeks (from Monday) and months are UTC's."""

    total_nusd: int = 0
    day_nusd: int = 0
    week_nusd: int = 0
    month_nusd: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            total_nusd=self.total_nusd + other.total_nusd,
            day_nusd=self.day_nusd + other.day_nusd,
            week_nusd=self.week_nusd + other.week_nusd,
            month_nusd=self.month_nusd + other.month_nusd,
        )

    def in_window(self, period: str) -> int:
        """Return what was spent in the present window of a budget's period, nUSD."""
        by_period = {
            Budget.Period.DAILY: self.day_nusd,
            Budget.Period.WEEKLY: self.week_nusd,
            Budget.Period.MONTHLY: self.month_nusd,
        }
        return by_period.get(Budget.Period(period), self.total_nusd)


def spent_by_key(account_id: int, *, today: dt.date, key_ids: Sequence[int]) -> Mapping[int, Spent]:
    """Return what keys of an account spent; one query. A key that spent nothing is left out."""

    def since(day: dt.date) -> Sum:
        return Sum("cost_nusd", filter=Q(request_id__gte=bound(day)))

    rows = (
        _charges_of(account_id)
        .filter(api_key_id__in=key_ids)
        .values("api_key_id")
        .order_by()
        .annotate(
            total=Sum("cost_nusd"),
            day=since(today),
            week=since(today - today.weekday() * DAY),
            month=since(today.replace(day=1)),
        )
    )
    return {
        row["api_key_id"]: Spent(
            total_nusd=row["total"] or 0,
            day_nusd=row["day"] or 0,
            week_nusd=row["week"] or 0,
            month_nusd=row["month"] or 0,
        )
        for row in rows
        if row["api_key_id"] is not None
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimit:
    """One money limit of a key and what was spent under it in its present window, nUSD."""

    period: str = Budget.Period.TOTAL
    limit_nusd: int
    spent_nusd: int
    resets_at: dt.datetime | None = None

    @property
    def left_nusd(self) -> int:
        """What may still be spent; requests that run hold some of it."""
        return max(self.limit_nusd - self.spent_nusd, 0)


# What the charges of live leases cost, by budget, in the window that the budget counts.
_LIVE_COSTS = """
SELECT b.id, SUM(c.cost_nusd)
FROM billing_lease l
JOIN billing_leasebudget lb ON lb.lease_id = l.id
JOIN billing_budget b ON b.id = lb.budget_id
    AND (b.period_start = lb.period_start OR b.period_start IS NULL)
JOIN billing_charge c ON c.lease_id = l.id
WHERE l.wallet_id = %s AND l.state IN ('active', 'draining')
GROUP BY b.id
"""


def key_limits(account_id: int, *, now: dt.datetime) -> Mapping[int, list[KeyLimit]]:
    """Return the limits of an account's keys, live leases' costs included, shortest period first.

    By the key that holds them (ApiKey.limits_key_id). Two queries.
    """
    costs = planned.rows(_LIVE_COSTS, [account_id])
    live = {int(budget_id): int(cost or 0) for budget_id, cost in costs}
    found: dict[int, list[KeyLimit]] = {}
    for budget in Budget.objects.filter(api_key__account=account_id):
        # Over: nobody has asked for money since, so the row is as it was then.
        is_over = windows.has_ended(budget, now)
        found.setdefault(budget.api_key_id, []).append(
            KeyLimit(
                period=budget.period,
                limit_nusd=budget.limit_nusd,
                spent_nusd=0 if is_over else budget.spent_nusd + live.get(budget.pk, 0),
                resets_at=windows.end(budget.period, windows.start(budget.period, now)),
            )
        )
    for limits in found.values():
        limits.sort(key=lambda limit: windows.PERIODS.index(limit.period))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """The billed requests of one UTC day and endpoint."""

    date: dt.date
    endpoint: str
    requests: int
    cost_nusd: int


def billed_by_day(
    account_id: int, *, days: Sequence[dt.date], key_id: int | None = None
) -> list[Billed]:
    """Return an account's billed requests by day and endpoint; what cost nothing is not billed.

    `days` follow each other, earliest first; not more than some dozens.
    """
    rows = in_days(_charges_of(account_id), days).filter(
        state__in=[Charge.State.SETTLED, Charge.State.ESTIMATED], endpoint__isnull=False
    )
    if key_id is not None:
        rows = rows.filter(api_key_id=key_id)
    grouped = rows.values("day", "endpoint").order_by("day", "endpoint")
    return [
        Billed(
            date=days[row["day"]],
            endpoint=row["endpoint"],
            requests=row["requests"],
            cost_nusd=row["cost"] or 0,
        )
        for row in grouped.annotate(requests=Count("request_id"), cost=Sum("cost_nusd"))
    ]


def in_days(rows: QuerySet[Any], days: Sequence[dt.date]) -> Any:
    """Narrow rows to some days by the time in their request id; `day` is the day's place."""
    cases = [
        When(request_id__gte=bound(day), then=Value(place))
        for place, day in reversed(list(enumerate(days)))
    ]
    return rows.filter(
        request_id__gte=bound(days[0]), request_id__lt=bound(days[-1] + DAY)
    ).annotate(day=Case(*cases, default=Value(0), output_field=IntegerField()))


def _charges_of(account_id: int) -> QuerySet[Charge]:
    """Return what an account pays, by way of its leases, which have an index.

    Answers that were forgiven as goodwill (ADR 7) are not among them.
    """
    leases = Lease.objects.filter(wallet_id=account_id).values("pk")
    forgiven = Q(reason=Charge.Reason.GOODWILL, corrected=True)
    return Charge.objects.filter(lease_id__in=leases).exclude(forgiven)
