"""What would answer a bank, kept with the order: a dispute may come months after its money went.

`pack` gathers it for staff to hand in. It names no person but by number, and nothing that the
order, its account's sums and its papers do not hold.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, Min, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from accounts.models import Consent, Delivery, Membership
from billing.models import Dispute, Order, OrderEvent, Receipt, Refund, SpendHour
from billing.payments import states

DAYS_MAX = 400
# Of everything else that a pack lists.
LINES_MAX = 200
# What a payer accepts that a bank asks for.
ACCEPTED: Final = (Consent.Purpose.TERMS, Consent.Purpose.PRIVACY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What an account used on a day of UTC."""

    day: dt.date
    requests: int
    cost_nusd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """Payments of the same account before this one that have something in common with it."""

    count: int
    first_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """All that answers a dispute of an order."""

    order: Order
    written_at: dt.datetime
    # The account's people were erased, and what the order kept of them with it.
    is_erased: bool
    accepted: Sequence[Consent]
    # None: the order keeps no digest of its network or card.
    same_network: Earlier | None
    same_card: Earlier | None
    timeline: Sequence[OrderEvent]
    days: Sequence[Day]  # oldest first
    refunds: Sequence[Refund]
    disputes: Sequence[Dispute]
    # Of the account's other payments.
    disputes_elsewhere: int
    lost_elsewhere: int
    papers: Sequence[Receipt]
    notices: Sequence[Delivery]

    @property
    def is_kept(self) -> bool:
        """Tell whether the order keeps what held when it was made: older ones do not."""
        return "policies" in self.order.evidence

    @property
    def policies(self) -> Mapping[str, str]:
        """The versions in force when the order was made, by document."""
        found: Mapping[str, str] = self.order.evidence.get("policies", {})
        return found

    @property
    def country(self) -> str:
        """The account's country when the order was made."""
        return str(self.order.evidence.get("country", ""))


def keep_authentication(order: Order, told: Mapping[str, str]) -> bool:
    """Keep how the card's holder proved to be it; False: that is kept already, or none was told.

    Order is locked; it is saved.
    """
    if not told or "three_d_secure" in order.evidence:
        return False
    order.evidence = {**order.evidence, "three_d_secure": dict(told)}
    order.save(update_fields=["evidence"])
    return True


def keep_usage(order: Order, *, now: dt.datetime) -> None:
    """Add what the account used by day since the order was paid. Order is locked; it is saved."""
    order.evidence = {
        **order.evidence,
        "paid_at": order.paid_at.isoformat() if order.paid_at else "",
        # Money is a decimal string wherever JSON carries it.
        "usage": [
            {
                "day": line.day.isoformat(),
                "requests": line.requests,
                "cost_nusd": str(line.cost_nusd),
            }
            for line in _spent(order, now)
        ],
    }
    order.save(update_fields=["evidence"])


def _spent(order: Order, now: dt.datetime) -> Sequence[Day]:
    """Return the days since the payment, newest first."""
    since = (order.paid_at or order.created_at).replace(minute=0, second=0, microsecond=0)
    rows = SpendHour.objects.filter(wallet_id=order.account_id, hour__gte=since, hour__lte=now)
    days = (
        rows.annotate(day=TruncDate("hour", tzinfo=dt.UTC))
        .values("day")
        .annotate(requests=Sum("requests"), cost_nusd=Sum("cost_nusd"))
        .order_by("-day")[:DAYS_MAX]
    )
    return [Day(**line) for line in days]


def pack(order: Order, *, now: dt.datetime) -> Pack:
    """Gather what answers a dispute of an order, as it stands now."""
    others = Dispute.objects.filter(order__account=order.account_id).exclude(order=order)
    lost = Count("pk", filter=Q(state=Dispute.State.LOST))
    elsewhere = others.aggregate(all=Count("pk"), lost=lost)
    return Pack(
        order=order,
        written_at=now,
        is_erased=not Membership.objects.filter(account=order.account_id).exists(),
        accepted=_accepted(order),
        same_network=_earlier(order, "network_digest"),
        same_card=_earlier(order, "card_digest"),
        timeline=list(order.timeline.order_by("at", "id")[:LINES_MAX]),
        days=_days(order, now),
        refunds=list(order.refunds.order_by("created_at", "pk")[:LINES_MAX]),
        disputes=list(order.disputes.order_by("opened_at", "pk")[:LINES_MAX]),
        disputes_elsewhere=elsewhere["all"],
        lost_elsewhere=elsewhere["lost"],
        papers=list(Receipt.objects.filter(order=order).order_by("issued_at", "pk")[:LINES_MAX]),
        notices=list(_notices(order)[:LINES_MAX]),
    )


def _accepted(order: Order) -> Sequence[Consent]:
    """Return what the payer had accepted or taken back before; of an automatic one, the owners."""
    payers: Q = Q(user=order.created_by_id)
    if order.purpose == Order.Purpose.AUTOMATIC:
        owners = Membership.objects.filter(account=order.account_id, role=Membership.Role.OWNER)
        payers = Q(user__in=owners.values("user"))
    elif order.created_by_id is None:
        return []
    rows = Consent.objects.filter(payers, purpose__in=ACCEPTED, created_at__lte=order.created_at)
    latest = rows.select_related("version").order_by("-created_at", "-pk")[:LINES_MAX]
    return list(reversed(latest))


def _earlier(order: Order, digest: str) -> Earlier | None:
    known = bytes(getattr(order, digest))
    if not known:
        return None
    rows = Order.objects.filter(
        account=order.account_id,
        state__in=states.CREDITED,
        created_at__lt=order.created_at,
        **{digest: known},
    )
    found: dict[str, Any] = rows.aggregate(count=Count("pk"), first_at=Min("paid_at"))
    return Earlier(**found)


def _days(order: Order, now: dt.datetime) -> Sequence[Day]:
    """Return the days since the payment, oldest first: what was kept, and what there is now.

    Sums of a day only grow while they stand, so the larger one is the later one.
    """
    if order.paid_at is None:
        return []
    found = {
        line.day: line
        for line in (
            Day(
                day=dt.date.fromisoformat(kept["day"]),
                requests=kept["requests"],
                cost_nusd=int(kept["cost_nusd"]),
            )
            for kept in order.evidence.get("usage", [])
        )
    }
    for line in _spent(order, now):
        kept = found.get(line.day)
        if kept is None or kept.requests <= line.requests:
            found[line.day] = line
    return [found[day] for day in sorted(found)]


def _notices(order: Order) -> QuerySet[Delivery]:
    """Return the deliveries of notices that lead to the order's pages."""
    page = f"/billing/orders/{order.number}"
    about = Q(notification__path=page) | Q(notification__path__startswith=f"{page}/")
    rows = Delivery.objects.filter(about, notification__account=order.account_id)
    return rows.select_related("notification").order_by("created_at", "pk")
