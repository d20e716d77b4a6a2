"""Verified notices that fit no order as they should: kept, posted, decided by staff."""

import datetime as dt

from billing import ledger
from billing.ledger import Leg
from billing.models import LedgerAccount, Order
from billing.models import Suspense as Case
from billing.money import CENT
from billing.payments import clearing, timeline
from billing.processors import registry
from billing.processors.base import Notice, NoticeKind

Cause = Case.Cause
Kind = LedgerAccount.Kind
POSTING = "suspense"


def mismatch(order: Order | None, notice: Notice) -> str | None:
    """Return why a notice does not belong to its order; None when all that it says fits."""
    processor = registry.get(notice.processor)
    if order is None:
        return Cause.UNKNOWN_ORDER
    is_paid = notice.kind == NoticeKind.PAID
    causes = (
        (Cause.WRONG_PROCESSOR, order.processor != notice.processor),
        (Cause.WRONG_MERCHANT, notice.merchant != processor.merchant),
        (Cause.WRONG_MODE, notice.is_live is None or notice.is_live != order.is_live),
        (Cause.WRONG_CURRENCY, is_paid and notice.currency != order.currency),
        (Cause.WRONG_AMOUNT, is_paid and notice.amount_minor != order.total_minor),
        (Cause.UNKNOWN_ORDER, is_paid and not notice.payment_ref),
    )
    return next((cause for cause, is_so in causes if is_so), None)


def open_case(order: Order | None, notice: Notice, *, cause: str, now: dt.datetime) -> Case | None:
    """Put a notice before staff, once for each thing it is about. In a transaction.

    Money that is ours already (paid to our own merchant account) is posted to suspense; what was
    paid to another's, or not said to be paid at all, is a case without money.
    """
    ref = f"{notice.kind}:{notice.payment_ref or notice.event_id}"[:160]
    is_ours = notice.merchant == registry.get(notice.processor).merchant
    is_money = notice.kind == NoticeKind.PAID and is_ours and notice.amount_minor > 0
    case, is_new = Case.objects.get_or_create(
        processor=notice.processor,
        ref=ref,
        defaults={
            "cause": cause,
            "order": order,
            "amount_minor": notice.amount_minor,
            "currency": notice.currency,
            "is_posted": is_money and cause != Cause.WRONG_MODE,
            "facts": {"event": notice.event_id, "order_ref": notice.order_ref[:64]},
            "opened_at": now,
        },
    )
    if not is_new:
        return None
    if case.is_posted:
        _post(case, now=now)
    if order is not None:
        timeline.add(order, timeline.SUSPENDED, now=now, cause=cause)
    return case


def _post(case: Case, *, now: dt.datetime) -> None:
    amount = case.amount_minor * CENT
    legs = (
        Leg(
            account=clearing.account(case.processor, case.currency),
            amount_nusd=-amount,
        ),
        Leg(account=ledger.account_of(Kind.SUSPENSE, currency=case.currency), amount_nusd=amount),
    )
    ledger.post(
        kind=POSTING, ref=f"{case.processor}:{case.pk}", legs=legs, actor=case.processor, now=now
    )
