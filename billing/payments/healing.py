"""Asks processors about orders and refunds that stay open: no notice is the only way to know."""

import datetime as dt
import logging
import uuid

from django.db import transaction
from django.utils import timezone

from billing.models import Order
from billing.payments import applying, asking, orders, refunds, schedule, states, timeline
from billing.processors import base, registry

logger = logging.getLogger(__name__)

ASKED_MAX = 100


def sweep(*, now: dt.datetime | None = None) -> int:
    """Ask about every order and refund that is due; return how many were asked about."""
    now = now or timezone.now()
    due = Order.objects.filter(next_check_at__lte=now).order_by("next_check_at")
    asked = 0
    for pk in list(due.values_list("pk", flat=True)[:ASKED_MAX]):
        order = _claim(pk, now=now)
        if order is None:
            continue
        asked += 1
        try:
            _ask(order, now=now)
        except base.ProcessorError as error:
            told = {"processor": order.processor, "code": error.code}
            logger.warning("a processor did not answer", extra=told)
    return asked + refunds.sweep(now=now)


def _claim(pk: uuid.UUID, *, now: dt.datetime) -> Order | None:
    """Set the next time first: whoever dies while asking leaves the order to be asked again."""
    with transaction.atomic():
        order = Order.objects.select_for_update().filter(pk=pk, next_check_at__lte=now).first()
        if order is None:
            return None
        order.checks += 1
        order.next_check_at = schedule.next_check(order.created_at, checks=order.checks, now=now)
        order.save(update_fields=["checks", "next_check_at"])
    return order


def _ask(order: Order, *, now: dt.datetime) -> None:
    processor = registry.get(order.processor)
    notice = processor.query(asking.ask(order))
    if notice.kind != base.NoticeKind.PENDING:
        applying.take(notice, now=now)
    elif now >= order.expires_at:
        orders.cancel(order, actor=timeline.SYSTEM, now=now)


def ask_now(order: Order, *, now: dt.datetime) -> Order:
    """Ask about one order because somebody waits for it; return it as it is then.

    Raises: base.ProcessorError.
    """
    if order.state in states.OPEN:
        _ask(order, now=now)
        order.refresh_from_db()
    return order
