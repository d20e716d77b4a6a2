"""Who may send how much of an order back."""

import datetime as dt
from collections.abc import Sequence

from django.conf import settings

from accounts.models import Account
from billing import wallets
from billing.models import Order, Wallet
from billing.money import CENT
from billing.payments import returning, states

# A dispute decides about the money of an order while it is open, and when it was lost.
REFUNDABLE = (states.PAID, states.PART_REFUNDED, states.WON)
ORDERS_MAX = 200


class RefundRefused(Exception):
    """It cannot go back this way; `rule` says why.

    state: nothing is paid, or a dispute holds it. amount: more than is left of the order, or
    nothing. spent: the wallet does not hold so much. frozen: the account is. limit: above what
    staff may send back of one order. changed: something went back meanwhile.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def check_own(order: Order, amount_minor: int) -> None:
    """Check what a payer asks for: unspent money, whatever its age. Raises: RefundRefused."""
    _check(order, amount_minor)
    wallet = Wallet.objects.filter(pk=order.account_id).first()
    if wallet is None or wallet.frozen or not order.account.is_active:
        raise RefundRefused("frozen")
    free = wallets.available(wallet)
    if amount_minor > _affordable_minor(order, free, before=returning.gone(order)):
        raise RefundRefused("spent")


def check_staff(order: Order, amount_minor: int, part: returning.Share) -> None:
    """Check what staff ask for, in limits for each order. Raises: RefundRefused."""
    _check(order, amount_minor)
    worth = returning.gone(order).credit_nusd + part.credit_nusd
    if worth > settings.PAYMENTS.staff_refund_minor_max * CENT:
        raise RefundRefused("limit")


def _check(order: Order, amount_minor: int) -> None:
    if order.state not in REFUNDABLE:
        raise RefundRefused("state")
    if not 0 < amount_minor <= returning.remaining_minor(order):
        raise RefundRefused("amount")


def refundable(order: Order, *, now: dt.datetime) -> int:
    """Return what the payer may take back of one recent order, with its tax, in minor units."""
    days = dt.timedelta(days=settings.PAYMENTS.refund_days)
    if order.paid_at is None or now - order.paid_at > days or order.state not in REFUNDABLE:
        return 0
    return _affordable_minor(order, _free(order.account_id), before=returning.gone(order))


def unspent(account: Account, *, wallet: Wallet | None = None) -> Sequence[tuple[Order, int]]:
    """Return all unspent money by the orders it came with, newest first, in their minor units.

    Each amount is what can go back of that order, with its tax, when those before it went back.
    `wallet` is the account's, where it was just read.
    """
    free = _free(account.pk) if wallet is None else _takeable(wallet, account)
    found = []
    paid = account.orders.filter(state__in=REFUNDABLE).select_related("account")
    orders = list(paid.order_by("-paid_at", "-pk")[:ORDERS_MAX]) if free > 0 else []
    gone = returning.gone_of(orders)
    for order in orders:
        if free <= 0:
            break
        amount = _affordable_minor(order, free, before=gone[order.pk])
        if amount:
            free -= returning.split(order, amount, before=gone[order.pk]).credit_nusd
            found.append((order, amount))
    return found


def _free(account_id: int) -> int:
    """Return the nUSD that a payer may take out of a wallet."""
    wallet = Wallet.objects.select_related("account").filter(pk=account_id).first()
    return _takeable(wallet, wallet.account) if wallet else 0


def _takeable(wallet: Wallet, account: Account) -> int:
    return wallets.available(wallet) if account.is_active and not wallet.frozen else 0


def _affordable_minor(order: Order, free_nusd: int, *, before: returning.Share) -> int:
    """Return the largest amount that can go back of an order and costs no more than `free_nusd`.

    `before`: what went back of it so far.
    """
    low = 0
    high = max(0, order.total_minor - before.net_minor - before.tax_minor)
    while low < high:
        middle = (low + high + 1) // 2
        if returning.split(order, middle, before=before).credit_nusd <= free_nusd:
            low = middle
        else:
            high = middle - 1
    # What is tax alone is no refund.
    return low if returning.split(order, low, before=before).credit_nusd else 0
