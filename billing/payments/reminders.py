"""Low-balance reminders: once when the balance falls below a threshold.

Armed again only when it stands well above it, so that a balance around the threshold does not
send a mail for every request.
"""

import datetime as dt

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.expressions import CombinedExpression

from accounts.models import Account
from billing import queries
from billing.models import BalanceReminder
from billing.money import USD
from billing.payments import news

# Armed again at 1.2 times the threshold.
ABOVE_PER_10 = 12
THRESHOLD_NUSD_MAX = 10_000 * USD
CHECKED_MAX = 1_000


class BadThreshold(ValueError):
    """Not above zero, or too large."""


def choose(account: Account, threshold_nusd: int | None) -> None:
    """Remind an account below a threshold; None: never. Raises: BadThreshold."""
    if threshold_nusd is None:
        BalanceReminder.objects.filter(account=account).delete()
        return
    if not 0 < threshold_nusd <= THRESHOLD_NUSD_MAX:
        raise BadThreshold(str(threshold_nusd))
    rows = BalanceReminder.objects.filter(account=account).exclude(threshold_nusd=threshold_nusd)
    if not rows.update(threshold_nusd=threshold_nusd, is_armed=True):
        BalanceReminder.objects.get_or_create(
            account=account, defaults={"threshold_nusd": threshold_nusd}
        )


def run_due(*, now: dt.datetime) -> int:
    """Arm reminders again, then send those that are due; return how many were sent."""
    _arm()
    sent = 0
    for row in _low()[:CHECKED_MAX]:
        # What workers hold idle is the account's, too: the exact balance decides.
        available = queries.balance(row.account_id).available_nusd
        if available >= row.threshold_nusd:
            continue
        sent += _tell(row, available_nusd=available, now=now)
    return sent


@transaction.atomic
def _tell(row: BalanceReminder, *, available_nusd: int, now: dt.datetime) -> bool:
    """Tell and disarm in one transaction: of two sweeps at once one does, and none is lost."""
    armed = BalanceReminder.objects.filter(pk=row.pk, is_armed=True)
    if not armed.update(is_armed=False, latest_at=now):
        return False
    news.low_balance(
        row.account, available_nusd=available_nusd, threshold_nusd=row.threshold_nusd, now=now
    )
    return True


def _arm() -> None:
    """What workers hold counts as away here: it is armed a little late rather than early."""
    rows = BalanceReminder.objects.filter(is_armed=False).filter(
        threshold_nusd__lte=_free() * 10 / ABOVE_PER_10
    )
    BalanceReminder.objects.filter(pk__in=list(rows.values_list("pk", flat=True))).update(
        is_armed=True
    )


def _low() -> QuerySet[BalanceReminder]:
    rows = BalanceReminder.objects.filter(is_armed=True, account__is_active=True)
    low = rows.filter(threshold_nusd__gt=_free())
    return low.select_related("account").order_by("pk")


def _free() -> CombinedExpression:
    """What of an account's wallet nobody holds."""
    wallet = "account__wallet__"
    taken = F(f"{wallet}debit_nusd") + F(f"{wallet}leased_nusd") + F(f"{wallet}reserved_nusd")
    return F(f"{wallet}credit_nusd") - taken
