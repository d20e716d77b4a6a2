"""Applies a stored notice once: one transaction steps the order and posts the money."""

import datetime as dt
import hashlib
import logging

import orjson
from django.db import transaction
from django.utils import timezone

from billing.models import Order, WebhookEvent
from billing.payments import disputes, inbox, methods, paying, refunds, suspense
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
    handler = _HANDLERS.get(notice.kind)
    if handler is None:
        return Outcome.IGNORED
    if suspense.owns(notice):
        return suspense.on_refund(notice, now=now)
    order = _order(notice)
    cause = suspense.mismatch(order, notice)
    if cause is None and order is not None:
        try:
            with transaction.atomic():  # a step that cannot be must leave nothing half done
                return handler(order, notice, now=now)
        except ImpossibleStep:
            cause = suspense.Cause.WRONG_STATE
        except NotYet:
            if now - event.received_at < WAIT_MAX:
                raise
            cause = suspense.Cause.WRONG_STATE
    suspense.open_case(order, notice, cause=cause or suspense.Cause.UNKNOWN_ORDER, now=now)
    return Outcome.SUSPENDED


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
