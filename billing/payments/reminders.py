"""Low-balance reminders: once when the balance falls below a threshold.

Armed again only when it stands well above it, so that a balance around the threshold does not
send a mail for every request.
"""

import datetime as dt

from django.db.models import F, QuerySet

from accounts.models import Account
from billing import queries
from billing.models import BalanceReminder
from billing.money import USD
from billing.payments import mails

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
        # Of two sweeps at once one sends; a crash right here loses a mail, never repeats it.
        armed = BalanceReminder.objects.filter(pk=row.pk, is_armed=True)
        if armed.update(is_armed=False, latest_at=now):
            mails.low_balance(
                row.account, available_nusd=available, threshold_nusd=row.threshold_nusd
            )
            sent += 1
    return sent


def _arm() -> None:
    """What workers hold counts as away here: it is armed a little late rather than early."""
    rows = _with_free().filter(is_armed=False, free__gte=F("threshold_nusd") * ABOVE_PER_10 / 10)
    BalanceReminder.objects.filter(pk__in=list(rows.values_list("pk", flat=True))).update(
        is_armed=True
    )


def _low() -> QuerySet[BalanceReminder]:
    rows = _with_free().filter(is_armed=True, account__is_active=True)
    return rows.filter(free__lt=F("threshold_nusd")).select_related("account").order_by("pk")


def _with_free() -> QuerySet[BalanceReminder]:
    wallet = "account__wallet__"
    taken = F(f"{wallet}debit_nusd") + F(f"{wallet}leased_nusd") + F(f"{wallet}reserved_nusd")
    return BalanceReminder.objects.annotate(free=F(f"{wallet}credit_nusd") - taken)
