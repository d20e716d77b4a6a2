"""What becomes of automatic top-ups: heard where orders are paid or fail."""

from django.db import transaction

from accounts.models import Account
from billing.models import AutoTopUp, Order
from billing.payments import mails

# Failures in a row; then it turns itself off.
FAILURES_MAX = 3
FAILED, NO_METHOD, BAD_AMOUNT = "failures", "no_method", "amount"


def paid(order: Order) -> None:
    """Note that an order was paid, when it is an automatic one."""
    if order.purpose == Order.Purpose.AUTOMATIC:
        AutoTopUp.objects.filter(pk=order.account_id).update(failures=0)
        mails.topped_up(order)


def failed(order: Order) -> None:
    """Note that an order failed, when it is an automatic one."""
    if order.purpose == Order.Purpose.AUTOMATIC:
        count_failure(order.account)


def count_failure(account: Account) -> None:
    """Count a failure; at the limit turn automatic top-up off."""
    with transaction.atomic():
        row = AutoTopUp.objects.select_for_update().filter(pk=account.pk).first()
        if row is None:
            return
        row.failures += 1
        if row.is_on and row.failures >= FAILURES_MAX:
            row.is_on, row.off_reason = False, FAILED
        row.save(update_fields=["failures", "is_on", "off_reason"])
        mails.top_up_failed(account, is_off=not row.is_on)


def turn_off(account: Account, reason: str) -> None:
    """Turn automatic top-up off because it cannot work."""
    with transaction.atomic():
        rows = AutoTopUp.objects.filter(pk=account.pk, is_on=True)
        if rows.update(is_on=False, off_reason=reason):
            mails.turned_off(account)
