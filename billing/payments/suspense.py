"""Verified notices that fit no order as they should: kept, posted, decided by staff."""

import datetime as dt

from django.db.models import QuerySet

from billing import ledger
from billing.ledger import Leg
from billing.models import LedgerAccount, Order, WebhookEvent
from billing.models import Suspense as Case
from billing.money import CENT
from billing.payments import clearing, timeline
from billing.processors import registry
from billing.processors.base import Notice, NoticeKind

Cause = Case.Cause
Outcome = WebhookEvent.Outcome
Kind = LedgerAccount.Kind
POSTING, REFUNDED, REFUND_BACK = "suspense", "suspense_refund", "suspense_back"


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
        (
            Cause.WRONG_CURRENCY,
            (is_paid or notice.currency) and notice.currency != order.currency,
        ),
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
    move(case, kind=POSTING, sign=1, actor=case.processor, now=now)


def payment_of(case: Case) -> str:
    """Return the processor's name for the payment that a case is about; empty: it has none."""
    kind, _, name = case.ref.partition(":")
    is_event = name == case.facts.get("event")
    return name if kind == NoticeKind.PAID and not is_event else ""


def move(case: Case, *, kind: str, sign: int, actor: str, now: dt.datetime) -> None:
    """Post a case's money from the processor into suspense, or with `sign` -1 back there."""
    amount = sign * case.amount_minor * CENT
    legs = (
        Leg(account=clearing.account(case.processor, case.currency), amount_nusd=-amount),
        Leg(account=ledger.account_of(Kind.SUSPENSE, currency=case.currency), amount_nusd=amount),
    )
    times = case.facts.get("refunds", 0)
    ref = posting_ref(case) + (f".{times}" if times else "")
    ledger.post(kind=kind, ref=ref, legs=legs, actor=actor[:80], now=now)


def posting_ref(case: Case) -> str:
    """Return what names a case in the ledger."""
    return f"{case.processor}:{case.pk}"


def owns(notice: Notice) -> bool:
    """Tell whether a notice is about a refund of money that stands, or stood, in suspense."""
    is_refund = notice.kind in (NoticeKind.REFUNDED, NoticeKind.REFUND_FAILED)
    return is_refund and bool(notice.payment_ref) and _about(notice).exists()


def _about(notice: Notice) -> QuerySet[Case]:
    ref = f"{NoticeKind.PAID}:{notice.payment_ref}"[:160]
    cases = Case.objects.filter(processor=notice.processor, ref=ref, is_posted=True)
    return cases.exclude(resolution="credited")


def on_refund(notice: Notice, *, now: dt.datetime) -> str:
    """Hear what became of a refund of money in suspense, made here or at the processor."""
    case = _about(notice).select_for_update().get()
    is_whole = notice.refund_minor in (0, case.amount_minor)
    if notice.merchant != registry.get(notice.processor).merchant or not is_whole:
        open_case(None, notice, cause=Cause.WRONG_AMOUNT, now=now)
        return Outcome.SUSPENDED
    if notice.kind == NoticeKind.REFUNDED and case.resolved_at is None:
        close_refunded(case, actor=case.resolved_by or case.processor, note=case.note, now=now)
        return Outcome.APPLIED
    if notice.kind == NoticeKind.REFUND_FAILED and case.resolution == "refunded":
        reopen(case, now=now)
        return Outcome.APPLIED
    return Outcome.REPEATED


def close_refunded(case: Case, *, actor: str, note: str, now: dt.datetime) -> None:
    """Post that a case's money went back to the payer. Caller holds FOR UPDATE on the case."""
    move(case, kind=REFUNDED, sign=-1, actor=actor, now=now)
    close(case, "refunded", actor=actor, note=note, now=now)


def reopen(case: Case, *, now: dt.datetime) -> None:
    """Post that a refund came back: the case waits for staff again."""
    move(case, kind=REFUND_BACK, sign=1, actor=case.processor, now=now)
    case.facts = {**case.facts, "refunds": case.facts.get("refunds", 0) + 1}
    case.resolved_at, case.resolution = None, ""
    case.save(update_fields=["facts", "resolved_at", "resolution"])


def close(case: Case, resolution: str, *, actor: str, note: str, now: dt.datetime) -> None:
    """Note how a case ended. Caller holds FOR UPDATE on it."""
    case.resolution, case.resolved_at = resolution, now
    case.resolved_by, case.note = actor[:80], note[:400]
    case.save(update_fields=["resolution", "resolved_at", "resolved_by", "note"])
