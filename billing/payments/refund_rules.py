"""Who may send how much of an order back."""

import datetime as dt
import itertools
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import Account
from billing import wallets
from billing.models import Order, Refund, Wallet
from billing.money import CENT
from billing.payments import returning, states

# A dispute decides about the money of an order while it is open, and when it was lost.
REFUNDABLE = (states.PAID, states.PART_REFUNDED, states.WON)
ORDERS_MAX = 200
# How many orders beyond those are looked at, to say how many hold the rest.
OLDER_MAX = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Unspent:
    """Unspent money by the orders that it came with, in minor units of each, and what is beyond."""

    parts: Sequence[tuple[Order, int]]
    # How many orders beyond these hold unspent money, too; at most OLDER_MAX.
    older: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What can go back of one order, with its tax, and the credit that it takes along."""

    order: Order
    amount_minor: int
    credit_nusd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    parts: Sequence[Part]
    left_nusd: int


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


def unspent(account: Account) -> Sequence[tuple[Order, int]]:
    """Return all unspent money by the orders it came with, newest first, in their minor units.

    Each amount is what can go back of that order, with its tax, when those before it went back.
    Of more than ORDERS_MAX orders only the newest are looked at.
    """
    return _pairs(_share_out(_unreturned(account)[:ORDERS_MAX], _free(account.pk)).parts)


def all_unspent(
    accounts: Collection[Account], held: Collection[Wallet], *, failed: QuerySet[Refund]
) -> Sequence[Part]:
    """Return all unspent money of some accounts, of however many orders; two queries.

    `held` are the accounts' wallets. Left out is what came with orders that one of the refunds
    `failed` of. To send it back in several rounds comes to the same: each begins where the one
    before ended.
    """
    owners = {account.pk: account for account in accounts}
    free = {wallet.pk: _takeable(wallet, owners[wallet.pk]) for wallet in held}
    able = [pk for pk, nusd in free.items() if nusd > 0]
    if not able:
        return []
    rows = Order.objects.filter(account__in=able, state__in=REFUNDABLE)
    rows = rows.order_by("account_id", "-created_at", "-pk").defer("evidence", "pay_url")
    marked = rows.annotate(has_failed=Exists(failed.filter(order=OuterRef("pk"))))
    gone, out = returning.gone_of_accounts(able), set()
    found: list[Part] = []
    for pk, mine in itertools.groupby(marked, lambda row: row.account_id):
        orders = list(mine)
        out |= {order.pk for order in orders if order.has_failed}
        found += _shared(orders, free[pk], gone).parts
    return [part for part in found if part.order.pk not in out]


def survey(account: Account) -> Unspent:
    """Return what `unspent` does, and how many orders beyond ORDERS_MAX hold the rest of it."""
    found = _share_out(_unreturned(account)[:ORDERS_MAX], _free(account.pk))
    older = _unreturned(account)[ORDERS_MAX : ORDERS_MAX + OLDER_MAX]
    more = len(_share_out(older, found.left_nusd).parts)
    return Unspent(parts=_pairs(found.parts), older=more)


def _pairs(parts: Sequence[Part]) -> Sequence[tuple[Order, int]]:
    return [(part.order, part.amount_minor) for part in parts]


def _unreturned(account: Account) -> QuerySet[Order]:
    """Return an account's orders of which something is left to go back, newest first.

    One that all was asked back of is REFUNDED at once, before its processor has done it.
    """
    paid = account.orders.filter(state__in=REFUNDABLE).select_related("account")
    return paid.order_by("-created_at", "-pk")  # as their index has them


def _share_out(orders: QuerySet[Order], free_nusd: int) -> _Shared:
    """Find what can go back of each order while the money lasts."""
    rows = list(orders) if free_nusd > 0 else []
    return _shared(rows, free_nusd, returning.gone_of(rows))


def _shared(
    orders: Iterable[Order], free_nusd: int, gone: Mapping[uuid.UUID, returning.Share]
) -> _Shared:
    """Share money out among orders; `gone` is what went back of them so far (pure)."""
    found: list[Part] = []
    for order in orders:
        if free_nusd <= 0:
            break
        before = gone.get(order.pk, returning.NOTHING)
        amount = _affordable_minor(order, free_nusd, before=before)
        if amount:
            credit = returning.split(order, amount, before=before).credit_nusd
            free_nusd -= credit
            found.append(Part(order=order, amount_minor=amount, credit_nusd=credit))
    return _Shared(parts=found, left_nusd=free_nusd)


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
    if returning.split(order, high, before=before).credit_nusd <= free_nusd:
        low = high  # all of it, as of nearly every order
    while low < high:
        middle = (low + high + 1) // 2
        if returning.split(order, middle, before=before).credit_nusd <= free_nusd:
            low = middle
        else:
            high = middle - 1
    # What is tax alone is no refund.
    return low if returning.split(order, low, before=before).credit_nusd else 0
