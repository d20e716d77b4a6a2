"""What would answer a bank, kept with the order: a dispute may come months after its money went."""

import datetime as dt

from django.db.models import Sum
from django.db.models.functions import TruncDate

from billing.models import Order, SpendHour

DAYS_MAX = 400


def keep_usage(order: Order, *, now: dt.datetime) -> None:
    """Add what the account used by day since the order was paid. Order is locked; it is saved."""
    since = (order.paid_at or order.created_at).replace(minute=0, second=0, microsecond=0)
    rows = SpendHour.objects.filter(wallet_id=order.account_id, hour__gte=since, hour__lte=now)
    days = (
        rows.annotate(day=TruncDate("hour", tzinfo=dt.UTC))
        .values("day")
        .annotate(requests=Sum("requests"), cost_nusd=Sum("cost_nusd"))
        .order_by("-day")[:DAYS_MAX]
    )
    order.evidence = {
        **order.evidence,
        "paid_at": order.paid_at.isoformat() if order.paid_at else "",
        # Money is a decimal string wherever JSON carries it.
        "usage": [
            {
                "day": line["day"].isoformat(),
                "requests": line["requests"],
                "cost_nusd": str(line["cost_nusd"]),
            }
            for line in days
        ],
    }
    order.save(update_fields=["evidence"])
