"""How staff decide a case of suspense: credit the account, send the money back, or dismiss it."""

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Final

from django.conf import settings
from django.db import transaction

from accounts import changes
from accounts.models import Change
from billing import ledger
from billing.ledger import Leg
from billing.models import LedgerAccount, Order
from billing.models import Suspense as Case
from billing.money import CENT
from billing.payments import asking, clearing, paying, returning, states, suspense, timeline
from billing.processors import registry
from billing.processors.base import Ask, Notice, NoticeKind

CREDITED, REFUNDED, DISMISSED = "credited", "refunded", "dismissed"
# All decisions there are, in the words in which staff choose.
RESOLUTIONS: Final[Mapping[str, str]] = {
    CREDITED: "Credit the order's account",
    REFUNDED: "Send it back to the payer",
    DISMISSED: "Dismiss: no money of it is here",
}
POSTING = "suspense_credit"
Kind = LedgerAccount.Kind


class CannotResolve(Exception):
    """This decision does not fit the case; `rule` says why.

    resolved: it was decided before. no_money: there is nothing to credit or to send back. money:
    there is, so it cannot be dismissed. no_order, currency: nobody to credit, or not in this
    currency. refused: the processor will not send it back.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def resolve(case: Case, resolution: str, *, actor: str, note: str, now: dt.datetime) -> Case:
    """Decide a case; its money is posted once. Call it outside of transactions.

    Raises: CannotResolve; base.Refused, base.Unavailable, base.NotConfigured: try it again.
    """
    if resolution == REFUNDED:
        return _refund(case, actor=actor, note=note, now=now)
    with transaction.atomic():
        case = _locked(case)
        if resolution == CREDITED:
            _credit(case, actor=actor, now=now)
        elif case.is_posted:
            raise CannotResolve("money")
        suspense.close(case, resolution, actor=actor, note=note, now=now)
        _let_go(case, actor=actor, now=now)
    return case


def _locked(case: Case) -> Case:
    """Return a case that waits, locked after its order. Raises: CannotResolve."""
    if case.order_id:
        Order.objects.select_for_update().get(pk=case.order_id)
    case = Case.objects.select_for_update(of=("self",)).select_related("order").get(pk=case.pk)
    if case.resolved_at is not None:
        raise CannotResolve("resolved")
    return case


def _credit(case: Case, *, actor: str, now: dt.datetime) -> None:
    """Move the money to the order's account, with tax and rate as of the order."""
    order = case.order
    if not case.is_posted:
        raise CannotResolve("no_money")
    if order is None:
        raise CannotResolve("no_order")
    if case.currency != order.currency:
        raise CannotResolve("currency")
    part = returning.split(order, case.amount_minor, before=returning.NOTHING)
    credit = part.credit_nusd
    ledger.open_wallet(order.account_id)
    legs = (
        Leg(
            account=ledger.account_of(Kind.SUSPENSE, currency=case.currency),
            amount_nusd=-case.amount_minor * CENT,
        ),
        Leg(
            account=ledger.account_of(Kind.TAX, currency=case.currency),
            amount_nusd=part.tax_minor * CENT,
        ),
        Leg(
            account=ledger.account_of(Kind.WALLET, owner_id=order.account_id),
            amount_nusd=credit,
        ),
        *clearing.exchanged(case.currency, net_minor=part.net_minor, nusd=credit),
    )
    ref = suspense.posting_ref(case)
    posted = [leg for leg in legs if leg.amount_nusd]
    ledger.post(kind=POSTING, ref=ref, legs=posted, actor=actor[:80], now=now)
    timeline.add(order, timeline.CREDITED, now=now, actor=actor, credit_nusd=credit)
    paying.recover(order, now=now, ref=f"{POSTING}:{ref}"[:80], nusd_max=credit)
    changes.announce(Change.Topic.WALLET, str(order.account_id))


def _let_go(case: Case, *, actor: str, now: dt.datetime) -> None:
    """Ask no more about an order whose money was decided about."""
    order = case.order
    if order is not None and case.is_posted and order.state in states.OPEN:
        timeline.step(order, states.CLOSED, now=now)
        order.pay_url = ""
        order.save(update_fields=["state", "next_check_at", "pay_url"])
        timeline.add(order, timeline.CLOSED, now=now, actor=actor)


def _refund(case: Case, *, actor: str, note: str, now: dt.datetime) -> Case:
    with transaction.atomic():
        case = _locked(case)
        payment = suspense.payment_of(case)
        if not case.is_posted or not payment:
            raise CannotResolve("no_money")
    notice = _send(case, payment)
    if notice.kind == NoticeKind.REFUND_FAILED:
        raise CannotResolve("refused")
    with transaction.atomic():
        try:
            case = _locked(case)
        except CannotResolve:  # the notice of this very refund was faster
            case.refresh_from_db()
            return case
        # Under way is as good as done: should it fail after all, the case opens again.
        suspense.close_refunded(case, actor=actor, note=note, now=now)
        _let_go(case, actor=actor, now=now)
        if case.order is not None:
            timeline.add(
                case.order, timeline.REFUND_DONE, now=now, actor=actor,
                amount_minor=case.amount_minor,
            )  # fmt: skip
    return case


def _send(case: Case, payment: str) -> Notice:
    """Ask the processor to send a case's money back; asked twice it is one refund."""
    times = case.facts.get("refunds", 0)
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"suspense:{case.pk}:{times}").hex
    return registry.get(case.processor).refund(
        _ask(case),
        payment_ref=payment,
        refund_id=name,
        amount_minor=case.amount_minor,
        reason=case.cause,
    )


def _ask(case: Case) -> Ask:
    notify_url = f"{settings.PUBLIC_URL}/hooks/{case.processor}"
    if case.order is not None:
        return dataclasses.replace(
            asking.ask(case.order),
            amount_minor=case.amount_minor,
            currency=case.currency,
            notify_url=notify_url,
        )
    return Ask(
        number=case.facts.get("order_ref", ""),
        amount_minor=case.amount_minor,
        currency=case.currency,
        method="",
        subject=asking.SUBJECT,
        expires_at=case.opened_at,
        notify_url=notify_url,
        return_url=settings.PUBLIC_URL,
        cancel_url=settings.PUBLIC_URL,
    )
