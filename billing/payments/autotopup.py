"""Automatic top-up: below a threshold, with a saved card, within a monthly cap.

A crash at any point charges once: each try has an order of its own under a key of account and
time, a processor knows that order by its number, and as long as it is open no other one starts.
"""

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import F, Q, QuerySet, Sum

from accounts.models import Account
from billing import queries
from billing.models import AutoTopUp, Order, PaymentMethod
from billing.money import USD
from billing.payments import asking, automatic, fraud, news, orders, quotes, states
from billing.processors import base

logger = logging.getLogger(__name__)

# Between two tries of an account; also the time that a try's key stands for.
INTERVAL = dt.timedelta(minutes=10)
CANDIDATES_MAX, TRIED_MAX = 1_000, 20
THRESHOLD_NUSD_MIN, THRESHOLD_NUSD_MAX = USD, 10_000 * USD
CAP_MINOR_MAX = 10_000_00
METHOD = "off_session"


class InvalidChoice(ValueError):
    """What was chosen cannot be; `errors`: a code for each field, for words on the page.

    Codes: "range", "below_amount", "no_method".
    """

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What an account wants. The amount is the price in US cents; the cap includes tax."""

    is_on: bool
    threshold_nusd: int
    amount_minor: int
    monthly_cap_minor: int
    method_id: int | None


def choose(account: Account, choice: Choice, *, now: dt.datetime) -> AutoTopUp:
    """Keep an account's choice; turning it on forgets earlier failures. Raises: InvalidChoice."""
    mine = PaymentMethod.objects.filter(account=account)
    method = mine.filter(pk=choice.method_id).first() if choice.method_id is not None else None
    if errors := _errors(account, choice, method=method, now=now):
        raise InvalidChoice(errors)
    row, _is_new = AutoTopUp.objects.update_or_create(
        account=account,
        defaults={
            "is_on": choice.is_on,
            "threshold_nusd": choice.threshold_nusd,
            "amount_minor": choice.amount_minor,
            "monthly_cap_minor": choice.monthly_cap_minor,
            "method": method,
            "failures": 0,
            "off_reason": "",
        },
    )
    return row


def _errors(
    account: Account, choice: Choice, *, method: PaymentMethod | None, now: dt.datetime
) -> dict[str, str]:
    found = {}
    if not THRESHOLD_NUSD_MIN <= choice.threshold_nusd <= THRESHOLD_NUSD_MAX:
        found["threshold"] = "range"
    if choice.monthly_cap_minor > CAP_MINOR_MAX:
        found["monthly_cap"] = "range"
    try:
        quote = _quote(account, choice.amount_minor, now=now)
    except quotes.AmountOutOfRange:
        found["amount"] = "range"
    else:
        if choice.monthly_cap_minor < quote.total_minor:
            found["monthly_cap"] = "below_amount"
    if method is None and (choice.is_on or choice.method_id is not None):
        found["method"] = "no_method"
    return found


def _quote(account: Account, amount_minor: int, *, now: dt.datetime) -> quotes.Quote:
    return quotes.make(account, currency=quotes.USD, net_minor=amount_minor, now=now)


def spent_minor(account_id: int, *, now: dt.datetime) -> int:
    """Return what automatic top-ups took this UTC month and may yet take, in cents."""
    month = now.astimezone(dt.UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    rows = Order.objects.filter(
        account=account_id,
        purpose=Order.Purpose.AUTOMATIC,
        created_at__gte=month,
        state__in=states.OPEN | states.CREDITED,
    )
    return rows.aggregate(sum=Sum(F("net_minor") + F("tax_minor")))["sum"] or 0


def run_due(*, now: dt.datetime) -> int:
    """Top up accounts whose balance is below their threshold; return how many were tried."""
    tried = 0
    for row in _candidates(now)[:CANDIDATES_MAX]:
        # Credit that workers hold idle is the account's, too: the exact balance decides.
        is_low = queries.balance(row.account_id).available_nusd < row.threshold_nusd
        if is_low and _claim(row, now):
            tried += 1
            _try(row, now=now)
        if tried >= TRIED_MAX:
            break
    return tried


def _may_try(now: dt.datetime) -> Q:
    return Q(latest_try_at=None) | Q(latest_try_at__lte=now - INTERVAL)


def _candidates(now: dt.datetime) -> QuerySet[AutoTopUp]:
    """Those that may be below their threshold: what workers hold is not counted here."""
    wallet = "account__wallet__"
    taken = F(f"{wallet}debit_nusd") + F(f"{wallet}leased_nusd") + F(f"{wallet}reserved_nusd")
    return (
        AutoTopUp.objects.filter(_may_try(now), is_on=True, account__is_active=True)
        .filter(account__wallet__frozen=False)
        .filter(threshold_nusd__gt=F(f"{wallet}credit_nusd") - taken)
        .select_related("account", "method")
        .order_by(F("latest_try_at").asc(nulls_first=True))
    )


def _claim(row: AutoTopUp, now: dt.datetime) -> bool:
    """Take this try for ourselves: of two sweeps at once one does it."""
    rows = AutoTopUp.objects.filter(_may_try(now), pk=row.pk, is_on=True)
    return bool(rows.update(latest_try_at=now))


def _try(row: AutoTopUp, *, now: dt.datetime) -> None:
    wish = _wish(row, now=now)
    if wish is None:
        return
    try:
        orders.start(row.account, wish, user=None, now=now)
    except base.Refused:
        automatic.count_failure(row.account, now=now)
    except fraud.TopUpRefused as refusal:
        logger.warning("an automatic top-up was refused", extra={"rule": refusal.rule})
        automatic.count_failure(row.account, now=now)
    except (base.ProcessorError, orders.NotOffered, orders.KeyReused) as error:
        # Nothing is known, or nothing can be done now: the order is asked about, or tried again.
        logger.warning("an automatic top-up waits", extra={"error": type(error).__name__})


def _wish(row: AutoTopUp, *, now: dt.datetime) -> orders.Wish | None:
    """Return what to ask for now; None for nothing."""
    method = row.method
    if method is None:
        automatic.turn_off(row.account, automatic.NO_METHOD, now=now)
        return None
    try:
        quote = _quote(row.account, row.amount_minor, now=now)
    except quotes.AmountOutOfRange:
        automatic.turn_off(row.account, automatic.BAD_AMOUNT, now=now)
        return None
    waiting = Order.objects.filter(
        account=row.account_id, purpose=Order.Purpose.AUTOMATIC, state__in=states.OPEN
    )
    left_over = waiting.order_by("-created_at").first()
    if left_over is None:
        spent = spent_minor(row.account_id, now=now)
        if spent + quote.total_minor > row.monthly_cap_minor:
            news.cap_reached(row.account, cap_minor=row.monthly_cap_minor, now=now)
            return None
        key = f"auto:{row.account_id}:{int(now.timestamp() // INTERVAL.total_seconds())}"
    elif left_over.state == states.CREATED:  # a crash, or no answer: go on with that one
        key = left_over.idempotency_key
    else:
        return None
    return orders.Wish(
        quote=quote,
        processor=method.processor,
        method=METHOD,
        idempotency_key=key,
        purpose=Order.Purpose.AUTOMATIC,
        payer=asking.Payer(customer_ref=method.customer_ref, method_ref=method.method_ref),
    )
