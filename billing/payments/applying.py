"""Applies a stored notice once: one transaction steps the order and posts the money."""

import datetime as dt
import hashlib
import logging

import orjson
from django.db import transaction
from django.utils import timezone

from billing.models import Order, WebhookEvent
from billing.payments import disputes, evidence, fraud, inbox, methods, paying, refunds, suspense
from billing.payments.states import ImpossibleStep, NotYet
from billing.processors.base import Notice, NoticeKind

logger = logging.getLogger(__name__)

RETRY_AFTER = dt.timedelta(seconds=30)
# What came before the payment that it is about waits for it, up to so long; then staff see it.
WAIT_MAX, RETRY_AFTER_MAX = dt.timedelta(hours=6), dt.timedelta(minutes=10)
SWEPT_MAX = 200
Outcome = WebhookEvent.Outcome

_HANDLERS = {
    NoticeKind.PAID: paying.on_paid,
    NoticeKind.FAILED: paying.on_failed,
    NoticeKind.CLOSED: paying.on_closed,
    NoticeKind.REFUNDED: refunds.on_refunded,
    NoticeKind.REFUND_FAILED: refunds.on_failed,
    NoticeKind.INQUIRY: disputes.on_inquiry,
    NoticeKind.DISPUTE_OPENED: disputes.on_opened,
    NoticeKind.DISPUTE_TAKEN: disputes.on_taken,
    NoticeKind.DISPUTE_RETURNED: disputes.on_returned,
    NoticeKind.DISPUTE_WON: disputes.on_won,
    NoticeKind.DISPUTE_LOST: disputes.on_lost,
    NoticeKind.FRAUD_WARNING: disputes.on_fraud_warning,
}
# Others name the payment only, which we know once the order is paid.
_KNOW_THEIR_ORDER = frozenset({NoticeKind.PAID, NoticeKind.FAILED, NoticeKind.CLOSED})


def apply(event_pk: int, *, now: dt.datetime | None = None) -> str:
    """Apply a stored event, or find that it was; return its outcome, empty while it must wait.

    Locks: event, order, wallet. Raises: django.db.Error: the sweep tries again.
    """
    now = now or timezone.now()
    with transaction.atomic():
        event = WebhookEvent.objects.select_for_update().get(pk=event_pk)
        if event.applied_at is not None:
            return event.outcome
        try:
            event.outcome = _outcome(event, now=now)
        except NotYet:
            delay = min(RETRY_AFTER * 2 ** min(event.attempts, 10), RETRY_AFTER_MAX)
            event.attempts, event.next_try_at = event.attempts + 1, now + delay
        else:
            event.applied_at, event.next_try_at = now, None
        event.save()
    return event.outcome


def _outcome(event: WebhookEvent, *, now: dt.datetime) -> str:
    """Raises: NotYet."""
    notice = Notice.from_json(event.notice)
    if notice.kind == NoticeKind.METHOD_SAVED:
        return methods.on_saved(notice, now=now)
    if notice.kind not in _HANDLERS:
        return _hear_card(notice, now=now)
    if suspense.owns(notice):
        return suspense.on_refund(notice, now=now)
    order = _order(notice)
    try:
        cause = _step(order, notice, now=now)
    except ImpossibleStep:
        cause = suspense.Cause.WRONG_STATE
    except NotYet:
        if now - event.received_at < WAIT_MAX:
            raise
        cause = suspense.Cause.WRONG_STATE if order else suspense.Cause.UNKNOWN_ORDER
    if cause in Outcome.values:
        return cause
    suspense.open_case(order, notice, cause=cause, now=now)
    return Outcome.SUSPENDED


def _step(order: Order | None, notice: Notice, *, now: dt.datetime) -> str:
    """Return an outcome, or why the notice does not fit. Raises: ImpossibleStep, NotYet."""
    if order is None and notice.kind not in _KNOW_THEIR_ORDER:
        raise NotYet
    cause = suspense.mismatch(order, notice)
    if cause is not None or order is None:
        return cause or suspense.Cause.UNKNOWN_ORDER
    with transaction.atomic():  # a step that cannot be must leave nothing half done
        return _HANDLERS[notice.kind](order, notice, now=now)


def _hear_card(notice: Notice, *, now: dt.datetime) -> str:
    """Hear of the card that paid, which some processors tell apart from the payment."""
    order = _order(notice) if notice.card_fingerprint else None
    if order is None or suspense.mismatch(order, notice) is not None:
        return Outcome.IGNORED
    is_proved = evidence.keep_authentication(order, notice.authentication)
    heard = fraud.hear_card(order, notice.card_fingerprint, now=now)
    kept = methods.keep(order, notice, now=now)
    return Outcome.APPLIED if is_proved or kept == Outcome.APPLIED else heard


def _order(notice: Notice) -> Order | None:
    """Return the notice's order, locked."""
    rows = Order.objects.select_for_update()
    if notice.order_ref:
        return rows.filter(pk=notice.order_ref).first() if _is_number(notice.order_ref) else None
    mine = rows.filter(processor=notice.processor)
    if notice.payment_ref:
        found = mine.filter(payment_ref=notice.payment_ref).first()
        if found is not None:
            return found
    return mine.filter(session_ref=notice.session_ref).first() if notice.session_ref else None


def _is_number(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)


def take(notice: Notice, *, now: dt.datetime) -> str:
    """Apply a notice that we asked for ourselves, on the same way as a delivered one."""
    digest = hashlib.sha256(orjson.dumps(notice.to_json())).digest()
    return apply(inbox.store(notice, sha256=digest, now=now), now=now)


def sweep(*, now: dt.datetime) -> int:
    """Apply stored events that no task took; return how many. A queue is never the only memory."""
    waiting = WebhookEvent.objects.filter(applied_at=None, next_try_at__lte=now)
    applied = 0
    for pk in list(waiting.order_by("next_try_at").values_list("pk", flat=True)[:SWEPT_MAX]):
        later = now + RETRY_AFTER
        taken = WebhookEvent.objects.filter(pk=pk, applied_at=None, next_try_at__lte=now)
        if not taken.update(next_try_at=later):
            continue
        try:
            applied += bool(apply(pk, now=now))
        except Exception:  # one bad event must not hold up the others; it is tried again
            logger.exception("a payment event could not be applied", extra={"event": pk})
            WebhookEvent.objects.filter(pk=pk).update(attempts=_attempts(pk) + 1)
    return applied


def _attempts(pk: int) -> int:
    return min(WebhookEvent.objects.values_list("attempts", flat=True).get(pk=pk), 30_000)
