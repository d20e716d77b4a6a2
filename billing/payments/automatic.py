"""What becomes of automatic top-ups: heard where orders are paid or fail."""

import datetime as dt

from django.db import transaction

from accounts.models import Account
from billing.models import AutoTopUp, Order
from billing.payments import news

# Failures in a row; then it turns itself off.
FAILURES_MAX = 3
FAILED, NO_METHOD, BAD_AMOUNT = "failures", "no_method", "amount"


def paid(order: Order, *, now: dt.datetime) -> None:
    """Note that an order was paid, when it is an automatic one."""
    if order.purpose == Order.Purpose.AUTOMATIC:
        AutoTopUp.objects.filter(pk=order.account_id).update(failures=0)
        news.topped_up(order, now=now)


def failed(order: Order, *, now: dt.datetime) -> None:
    """Note that an order failed, when it is an automatic one."""
    if order.purpose == Order.Purpose.AUTOMATIC:
        count_failure(order.account, now=now)


def count_failure(account: Account, *, now: dt.datetime) -> None:
    """Count a failure; at the limit turn automatic top-up off."""
    with transaction.atomic():
        row = AutoTopUp.objects.select_for_update().filter(pk=account.pk).first()
        if row is None:
            return
        row.failures += 1
        if row.is_on and row.failures >= FAILURES_MAX:
            row.is_on, row.off_reason = False, FAILED
        row.save(update_fields=["failures", "is_on", "off_reason"])
        news.top_up_failed(account, is_off=not row.is_on, now=now)


def turn_off(account: Account, reason: str, *, now: dt.datetime) -> None:
    """Turn automatic top-up off because it cannot work."""
    with transaction.atomic():
        rows = AutoTopUp.objects.filter(pk=account.pk, is_on=True)
        if rows.update(is_on=False, off_reason=reason):
            news.turned_off(account, now=now)
