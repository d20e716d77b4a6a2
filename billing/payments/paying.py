"""An order is paid, or it never will be."""

import datetime as dt

from django.db import transaction
from django.db.models import F

from accounts import changes, persons
from accounts.models import Change
from billing import holds, ledger, wallets
from billing.ledger import Leg
from billing.models import Debt, LedgerAccount, Order, Wallet, WebhookEvent
from billing.payments import (
    automatic,
    clearing,
    fraud,
    methods,
    receipts,
    states,
    suspense,
    timeline,
)
from billing.processors.base import Notice

Outcome = WebhookEvent.Outcome
Kind = LedgerAccount.Kind
TOP_UP, RECOVERY = "top_up", "recovery"


def on_paid(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """Credit a locked order that the notice matches; once, however often it is told.

    Raises: states.ImpossibleStep.
    """
    if order.state in states.CREDITED:
        if order.payment_ref == notice.payment_ref:
            return Outcome.REPEATED
        suspense.open_case(order, notice, cause=suspense.Cause.PAID_TWICE, now=now)
        return Outcome.SUSPENDED
    was_over = order.state not in states.OPEN
    timeline.step(order, states.PAID, now=now)
    order.payment_ref, order.failure = notice.payment_ref, ""
    order.session_ref = order.session_ref or notice.session_ref
    order.pay_url = ""
    if notice.card_fingerprint:
        order.card_digest = persons.card_digest(notice.card_fingerprint)
    order.save()
    timeline.add(order, timeline.PAID_LATE if was_over else timeline.PAID, now=now)
    _post(order, now=now)
    timeline.add(order, timeline.CREDITED, now=now, credit_nusd=order.credit_nusd)
    recover(order, now=now)
    fraud.after_payment(order, now=now)
    receipts.issue(order, now=now)
    methods.keep(order, notice, now=now)
    automatic.paid(order, now=now)
    changes.announce(Change.Topic.WALLET, str(order.account_id))
    return Outcome.APPLIED


def _post(order: Order, *, now: dt.datetime) -> None:
    ledger.open_wallet(order.account_id)
    legs = clearing.incoming(order)
    ledger.post(kind=TOP_UP, ref=order.number, legs=legs, actor=order.processor, now=now)


def recover(order: Order, *, now: dt.datetime, ref: str = "", nusd_max: int | None = None) -> int:
    """Pay what the account owes from credit that came; return how much. In a transaction.

    Without `ref` and `nusd_max` the credit is the order's own.
    """
    debt = Debt.objects.select_for_update().filter(pk=order.account_id, owed_nusd__gt=0).first()
    if debt is None:
        return 0
    wallet = Wallet.objects.select_for_update().get(pk=order.account_id)
    credit = order.credit_nusd if nusd_max is None else nusd_max
    amount = min(debt.owed_nusd, credit, wallets.available(wallet))
    if amount <= 0:
        return 0
    legs = (
        Leg(account=ledger.account_of(Kind.WALLET, owner_id=order.account_id), amount_nusd=-amount),
        Leg(account=ledger.account_of(Kind.RECEIVABLE), amount_nusd=amount),
    )
    posted_as = ref or order.number
    ledger.post(kind=RECOVERY, ref=posted_as, legs=legs, actor=timeline.SYSTEM, now=now)
    Debt.objects.filter(pk=order.account_id).update(owed_nusd=F("owed_nusd") - amount)
    timeline.add(order, timeline.RECOVERED, now=now, amount_nusd=amount)
    holds.thaw_when_clear(order.account_id)
    return amount


def on_failed(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """Note that a payment failed; one that was paid stays paid."""
    if order.state not in states.OPEN:
        return Outcome.REPEATED
    timeline.step(order, states.FAILED, now=now)
    order.failure = notice.reason[:40]
    order.save()
    timeline.add(order, timeline.FAILED, now=now, reason=notice.reason[:40])
    automatic.failed(order, now=now)
    return Outcome.APPLIED


def on_closed(order: Order, _notice: Notice, *, now: dt.datetime) -> str:
    """Note that an order can no longer be paid."""
    if order.state not in states.OPEN:
        return Outcome.REPEATED
    timeline.step(order, states.CLOSED, now=now)
    order.pay_url = ""
    order.save()
    timeline.add(order, timeline.CLOSED, now=now)
    return Outcome.APPLIED


@transaction.atomic
def owe(account_id: int, amount_nusd: int) -> None:
    """Add to what an account owes."""
    Debt.objects.get_or_create(pk=account_id)
    Debt.objects.filter(pk=account_id).update(owed_nusd=F("owed_nusd") + amount_nusd)
