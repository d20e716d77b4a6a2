"""An account with very many paid orders, each with its timeline and its posting, and statements."""

import datetime as dt
from collections.abc import Sequence

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import Account, User
from accounts.timeids import midnight, uuid7_at
from billing import ledger
from billing.models import LedgerAccount, LedgerEntry, LedgerTransaction, Order, OrderEvent, Wallet
from billing.payments import statements, states, timeline

BATCH = 5_000
DAYS = 730
CENTS, CREDIT_NUSD = 2_000, 20 * 10**9
SOURCE = LedgerAccount.Kind.CLEARING_STRIPE


def fill(account: Account, user: User, *, orders: int) -> None:
    """Make orders of the last two years, all paid by card."""
    ledger.open_wallet(account.pk)
    began, step = timezone.now() - dt.timedelta(days=DAYS), dt.timedelta(days=DAYS) / orders
    for first in range(0, orders, BATCH):
        numbers = range(first, min(first + BATCH, orders))
        _write(account, [_order(account, user, n, began + n * step) for n in numbers])
    _issue(account, began.date().replace(day=1))


def _issue(account: Account, month: dt.date) -> None:
    """Issue the statements of the months that ended, as the month's task would have."""
    now = timezone.now()
    while midnight(after := statements.next_month(month)) + statements.MARGIN <= now:
        statements.issue(account, month, now=now)
        month = after


def _order(account: Account, user: User, number: int, at: dt.datetime) -> Order:
    return Order(
        id=uuid7_at(at), account=account, created_by=user, idempotency_key=f"bench-{number}",
        processor="stripe", method="checkout", state=states.PAID, is_live=False, currency="USD",
        net_minor=CENTS, credit_nusd=CREDIT_NUSD, payment_ref=f"pi_bench{number}",
        created_at=at, expires_at=at, paid_at=at,
    )  # fmt: skip


@transaction.atomic  # a posting must be sealed when it is committed
def _write(account: Account, orders: Sequence[Order]) -> None:
    Order.objects.bulk_create(orders)
    OrderEvent.objects.bulk_create(
        OrderEvent(order=order, at=order.created_at, code=code, state=states.PAID, actor="bench")
        for order in orders
        for code in (timeline.CREATED, timeline.PAID, timeline.CREDITED)
    )
    postings = [
        LedgerTransaction(
            id=uuid7_at(order.created_at), kind=f"{ledger.CREDIT}:{SOURCE}"[:24],
            ref=order.number, actor="bench", created_at=order.created_at,
        )
        for order in orders
    ]  # fmt: skip
    LedgerTransaction.objects.bulk_create(postings)
    legs = (
        (0, ledger.account_of(SOURCE), -CREDIT_NUSD),
        (1, ledger.account_of(LedgerAccount.Kind.WALLET, owner_id=account.pk), CREDIT_NUSD),
    )
    LedgerEntry.objects.bulk_create(
        LedgerEntry(transaction=posting, seq=seq, account=side, amount_nusd=nusd)
        for posting in postings
        for seq, side, nusd in legs
    )
    LedgerTransaction.objects.filter(pk__in=[one.pk for one in postings]).update(sealed=True)
    credited = CREDIT_NUSD * len(orders)
    Wallet.objects.filter(pk=account.pk).update(credit_nusd=F("credit_nusd") + credited)
