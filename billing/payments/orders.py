"""Orders: from the wish to pay until the processor knows of it."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction

from accounts import persons, policies
from accounts.models import Account, User
from accounts.timeids import uuid7
from billing.models import Order
from billing.payments import applying, asking, fraud, quotes, schedule, states, timeline
from billing.processors import base, registry

# Processors keep an order open for this long; then it is closed here and there.
OPEN_FOR = dt.timedelta(minutes=30)


class KeyReused(Exception):
    """This idempotency key stands for another order."""


class NotOffered(Exception):
    """No such processor, or it does not take this currency or method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a payer asks for."""

    quote: quotes.Quote
    processor: str
    method: str
    idempotency_key: str
    purpose: str = Order.Purpose.TOP_UP
    payer: asking.Payer = field(default_factory=asking.Payer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """An order and where its payer goes now."""

    order: Order
    started: base.Started


def start(account: Account, wish: Wish, *, user: User | None, now: dt.datetime) -> Going:
    """Make the order and tell the processor; the same key again goes on with the same order.

    Raises: NotOffered, KeyReused, fraud.TopUpRefused, base.NotConfigured, base.Refused (the order
    failed), base.Unavailable (the order stays; the same key tries again).
    """
    return send(begin(account, wish, user=user, now=now), wish.payer, now=now)


def begin(account: Account, wish: Wish, *, user: User | None, now: dt.datetime) -> Order:
    """Make the order, or find that of the same key; the processor hears nothing of it yet.

    Raises: NotOffered, KeyReused, fraud.TopUpRefused, base.NotConfigured.
    """
    processor = registry.get(wish.processor)
    if wish.quote.currency != processor.currency or wish.method not in processor.methods:
        raise NotOffered
    return _find_or_make(account, wish, user=user, now=now, processor=processor)


def send(order: Order, payer: asking.Payer, *, now: dt.datetime) -> Going:
    """Tell the processor of an order; of one that it knows, return where its payer goes.

    Raises: base.NotConfigured, base.Refused (the order failed), base.Unavailable.
    """
    if order.state != states.CREATED:
        return Going(order=order, started=_where(order))
    processor = registry.get(order.processor)
    ask = asking.ask(order, payer)
    try:
        started = processor.create(ask)
    except base.Refused as error:
        _note(order, timeline.REFUSED, state=states.FAILED, failure=error.code, now=now)
        raise
    except base.Unavailable as error:
        _note(order, timeline.UNREACHED, failure=error.code, now=now)
        raise
    _sent(order, started, now=now)
    if started.notice is not None:
        applying.take(started.notice, now=now)
    order.refresh_from_db()
    return Going(order=order, started=started)


def _find_or_make(
    account: Account, wish: Wish, *, user: User | None, now: dt.datetime, processor: base.Processor
) -> Order:
    found = _existing(account, wish)
    if found is not None:
        return found
    try:
        with transaction.atomic():
            fraud.check(
                account,
                wish.quote,
                client_ip=wish.payer.client_ip,
                now=now,
                purpose=wish.purpose,
            )
            order = Order(
                id=uuid7(),
                account=account,
                created_by=user,
                idempotency_key=wish.idempotency_key,
                purpose=wish.purpose,
                processor=wish.processor,
                method=wish.method,
                is_live=processor.is_live,
                currency=wish.quote.currency,
                net_minor=wish.quote.net_minor,
                tax_minor=wish.quote.tax_minor,
                credit_nusd=wish.quote.credit_nusd,
                rate_ppm=wish.quote.rate_ppm,
                rate_source=wish.quote.rate_source,
                created_at=now,
                expires_at=now + OPEN_FOR,
                next_check_at=schedule.next_check(now, checks=0),
                network_digest=persons.network_digest(wish.payer.client_ip)
                if wish.payer.client_ip
                else b"",
            )
            order.evidence = _evidence(order, wish.quote, now)
            order.save(force_insert=True)
            timeline.add(order, timeline.CREATED, now=now, actor=_actor(user))
    except IntegrityError:  # the same key came twice at once
        found = _existing(account, wish)
        if found is None:
            raise
        return found
    return order


def _existing(account: Account, wish: Wish) -> Order | None:
    order = Order.objects.filter(account=account, idempotency_key=wish.idempotency_key).first()
    if order is not None and (order.processor, order.method, order.total_minor, order.currency) != (
        wish.processor,
        wish.method,
        wish.quote.total_minor,
        wish.quote.currency,
    ):
        raise KeyReused
    return order


def _actor(user: User | None) -> str:
    return f"user:{user.pk}" if user else timeline.SYSTEM


def _evidence(order: Order, quote: quotes.Quote, now: dt.datetime) -> dict[str, Any]:
    """What a dispute may ask for months later: what was agreed to, where, how it was proved."""
    kept = {
        "country": order.account.country,
        "policies": dict(policies.in_force(now)),
        "is_reverse_charge": quote.is_reverse_charge,
    }
    if order.method == "checkout":
        kept["asks_3ds"] = fraud.wants_3ds(order)
    return kept


def _where(order: Order) -> base.Started:
    """Return where the payer of an order goes that the processor knows already."""
    if order.state not in states.OPEN or not order.pay_url:
        return base.Started(session_ref=order.session_ref)
    if order.pay_url.startswith(("http://", "https://")) and order.method != "qr":
        return base.Started(session_ref=order.session_ref, pay_url=order.pay_url)
    return base.Started(session_ref=order.session_ref, qr_text=order.pay_url)


def _sent(order: Order, started: base.Started, *, now: dt.datetime) -> None:
    with transaction.atomic():
        order = _locked(order)
        # A webhook may have been faster than the answer that told us where to pay.
        if order.state == states.CREATED:
            timeline.step(order, states.PENDING, now=now)
            timeline.add(order, timeline.SENT, now=now)
        order.session_ref = order.session_ref or started.session_ref
        order.pay_url = started.pay_url or started.qr_text
        order.failure = ""
        order.save()


def _note(
    order: Order, code: str, *, failure: str, now: dt.datetime, state: str | None = None
) -> None:
    with transaction.atomic():
        order = _locked(order)
        if order.state not in states.OPEN:
            return
        if state is not None:
            timeline.step(order, state, now=now)
        order.failure = failure[:40]
        order.save()
        timeline.add(order, code, now=now, reason=failure[:40])


def _locked(order: Order) -> Order:
    return Order.objects.select_for_update().get(pk=order.pk)


def cancel(order: Order, *, actor: str, now: dt.datetime) -> Order:
    """Close an open order at the processor and here; what was paid meanwhile is credited.

    Raises: base.Unavailable, base.Refused.
    """
    processor = registry.get(order.processor)
    try:
        processor.close(asking.ask(order))
    except base.AlreadyPaid:
        applying.take(processor.query(asking.ask(order)), now=now)
    else:
        with transaction.atomic():
            locked = _locked(order)
            if locked.state in states.OPEN:
                timeline.step(locked, states.CLOSED, now=now)
                locked.save()
                timeline.add(locked, timeline.CLOSED, now=now, actor=actor)
    order.refresh_from_db()
    return order
