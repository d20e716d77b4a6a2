"""Rules against stolen cards: asked before an order is made, heard after it is paid.

Each counts what stands in the database. Networks and cards are known as keyed digests only.
"""

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet, Sum

from accounts import persons
from accounts.models import Account
from billing import holds
from billing.models import Order, Processor, WebhookEvent
from billing.money import CENT
from billing.payments import states
from billing.payments.quotes import Quote

DAY, WEEK = dt.timedelta(days=1), dt.timedelta(days=7)
# Staff have so long to look at a payment that its bank calls fraud.
WARNED_FOR = dt.timedelta(days=7)
CARDS_MAX = 20


class TopUpRefused(Exception):
    """A rule does not allow this top-up now; `rule` says which, for words on the page.

    frozen: the account is closed, or its wallet frozen by more than a debt. first_week: above what
    a new account may pay in its first week. network, card: too many orders in a day.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def check(
    account: Account,
    quote: Quote,
    *,
    client_ip: str,
    now: dt.datetime,
    purpose: str = Order.Purpose.TOP_UP,
) -> None:
    """Raises: TopUpRefused. Locks: the account, so that orders that come together are counted.

    Who only owes money may pay it; but nothing is drawn from a card by itself for that.
    """
    with transaction.atomic():
        # Not FOR UPDATE: rows that name the account must not wait for this.
        account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        may_owe = purpose == Order.Purpose.TOP_UP
        if not account.is_active or _is_frozen(account.pk, may_owe=may_owe):
            raise TopUpRefused("frozen")
        if _is_above_first_week(account, quote, now):
            raise TopUpRefused("first_week")
        if client_ip and _is_network_busy(client_ip, now):
            raise TopUpRefused("network")
        if any(_is_card_busy(digest, now) for digest in _cards(account)):
            raise TopUpRefused("card")


def _is_frozen(account_id: int, *, may_owe: bool) -> bool:
    freeze = holds.frozen(account_id)
    return freeze is not None and not (may_owe and freeze.owes_only)


def _is_above_first_week(account: Account, quote: Quote, now: dt.datetime) -> bool:
    if now - account.created_at >= WEEK:
        return False
    counted = account.orders.filter(
        Q(state__in=states.CREDITED) | Q(state__in=states.OPEN, expires_at__gt=now)
    )
    paid = counted.aggregate(sum=Sum("credit_nusd"))["sum"] or 0
    total: int = paid + quote.credit_nusd
    return total > settings.PAYMENTS.first_week_minor_max * CENT


def _is_network_busy(client_ip: str, now: dt.datetime) -> bool:
    digest = persons.network_digest(client_ip)
    recent = Order.objects.filter(network_digest=digest, created_at__gt=now - DAY)
    return recent.count() >= settings.PAYMENTS.network_orders_per_day


def _is_card_busy(digest: bytes, now: dt.datetime, *, beyond: int = 0) -> bool:
    recent = Order.objects.filter(card_digest=digest, created_at__gt=now - DAY)
    return recent.count() >= settings.PAYMENTS.card_orders_per_day + beyond


def _cards(account: Account) -> set[bytes]:
    """Return the digests of the cards that an account paid with lately, or keeps."""
    used = account.orders.exclude(card_digest=b"").order_by("-created_at")
    kept = account.payment_methods.exclude(card_digest=b"").order_by("-created_at")
    return {
        bytes(digest)
        for rows in (used, kept)
        for digest in rows.values_list("card_digest", flat=True)[:CARDS_MAX]
    }


def wants_3ds(order: Order) -> bool:
    """Tell whether the card must be proven by its holder: the account never paid before."""
    return not _paid_before(order).exists()


def _paid_before(order: Order) -> QuerySet[Order]:
    earlier = Order.objects.filter(account_id=order.account_id, state__in=states.CREDITED)
    return earlier.exclude(pk=order.pk)


def after_payment(order: Order, *, now: dt.datetime) -> None:
    """Hold the account to cheap models for a while after its first card payment.

    So is one whose card paid more orders today, of any account, than a card may. Call it after
    the posting, which lifts the restriction to cheap models where no hold keeps it.
    """
    until = now + dt.timedelta(hours=settings.PAYMENTS.hold_hours)
    if until <= now or order.processor != Processor.STRIPE:
        return
    if not _paid_before(order).filter(processor=Processor.STRIPE).exists():
        holds.keep_cheap(order.account_id, reason=holds.FIRST_PAYMENT, until=until)
    _hold_busy_card(order, now=now)


def hear_card(order: Order, fingerprint: str, *, now: dt.datetime) -> str:
    """Note which card paid a locked order, told before or after its payment; return an outcome."""
    if order.card_digest:
        return WebhookEvent.Outcome.REPEATED
    order.card_digest = persons.card_digest(fingerprint)
    order.save(update_fields=["card_digest"])
    if order.state in states.CREDITED:
        _hold_busy_card(order, now=now)
    return WebhookEvent.Outcome.APPLIED


def _hold_busy_card(order: Order, *, now: dt.datetime) -> None:
    """Hold the account of an order whose card paid more orders today than a card may."""
    until = now + dt.timedelta(hours=settings.PAYMENTS.hold_hours)
    if until > now and order.card_digest and _is_card_busy(bytes(order.card_digest), now, beyond=1):
        holds.keep_cheap(order.account_id, reason=holds.CARD_BUSY, until=until)


def hold_warned(order: Order, *, now: dt.datetime) -> None:
    """Hold an account one of whose payments its bank calls fraud."""
    holds.keep_cheap(order.account_id, reason=holds.FRAUD_WARNING, until=now + WARNED_FOR)
