"""Spending far above what an account is used to, told once a day while it lasts."""

import datetime as dt
import logging
from collections.abc import Sequence
from typing import Final

from django.db.models import Min, Sum

from accounts import notifications, roles
from accounts.hours import KEPT_DAYS
from accounts.models import Account
from accounts.notifications import Notice
from accounts.timeids import DAY, midnight
from logs.models import UsageHour

logger = logging.getLogger(__name__)

HOUR: Final = dt.timedelta(hours=1)
USD_NUSD: Final = 1_000_000_000
CENT_NUSD: Final = USD_NUSD // 100
# An hour is unusual above so many times of what 95 of 100 hours stayed below.
TIMES: Final = 5
PERCENT: Final = 95
# Below this nobody minds, however unusual it is.
FLOOR_NUSD: Final = 5 * USD_NUSD
# An account that is younger has no habit yet.
HOURS_MIN: Final = 24
ACCOUNTS_MAX: Final = 500


def watch(*, now: dt.datetime) -> int:
    """Tell accounts whose spending of this hour is unusual; return how many people were told.

    Compared with the hours that sums still hold one by one (accounts.hours.KEPT_DAYS).
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    rows = UsageHour.objects.filter(hour=hour).values("account_id")
    sums = rows.annotate(cost=Sum("cost_nusd")).filter(cost__gt=FLOOR_NUSD).order_by("-cost")
    spent = dict(sums.values_list("account_id", "cost")[:ACCOUNTS_MAX])
    accounts = Account.objects.in_bulk(spent)
    return sum(
        _tell(account, spent_nusd=spent[account_id], usual_nusd=usual, now=now)
        for account_id, account in accounts.items()
        if (usual := usual_nusd(account_id, hour=hour)) is not None
        and spent[account_id] > max(FLOOR_NUSD, TIMES * usual)
    )


def usual_nusd(account_id: int, *, hour: dt.datetime) -> int | None:
    """Return what 95 of 100 hours before this one cost at most; None without a day of them."""
    mine = UsageHour.objects.filter(account_id=account_id, hour__lt=hour)
    first = mine.aggregate(first=Min("hour"))["first"]
    since = max(midnight(hour.date()) - (KEPT_DAYS - 1) * DAY, first or hour)
    hours = (hour - since) // HOUR
    if hours < HOURS_MIN:
        return None
    costs = mine.filter(hour__gte=since).values("hour").annotate(cost=Sum("cost_nusd"))
    return percentile(list(costs.values_list("cost", flat=True)), of=hours)


def percentile(costs: Sequence[int], *, of: int) -> int:
    """Return the 95th percentile of `of` hours; those without a cost spent nothing."""
    padded = sorted([*costs, *[0] * (of - len(costs))])
    return padded[-(-len(padded) * PERCENT // 100) - 1]


def _tell(account: Account, *, spent_nusd: int, usual_nusd: int, now: dt.datetime) -> int:
    notice = Notice(
        kind="security",
        key=f"spike:{account.pk}:{now:%Y-%m-%d}",
        name="unusual_spend",
        facts={
            "account": account.name,
            "spent": _usd(spent_nusd),
            "usual": _usd(usual_nusd),
            "hour": f"{now.astimezone(dt.UTC):%Y-%m-%d %H:00}",
        },
        path="/usage",
        is_urgent=True,
    )
    return notifications.tell_account(
        account=account, roles=roles.may_see_money, notice=notice, now=now
    )


def _usd(amount_nusd: int) -> str:
    """Write an amount in whole cents; logs do not know billing.money."""
    cents = amount_nusd // CENT_NUSD
    return f"${cents // 100:,}.{cents % 100:02}"
