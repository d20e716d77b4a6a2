"""Orders that are paid by notices; no processor is asked. Each test ends in an audit."""

import dataclasses
import datetime as dt
import itertools

import pytest

from billing import ledger
from billing.models import Order, Refund
from billing.payments import applying, quotes
from billing.processors import config, registry
from billing.processors.base import Notice, NoticeKind
from tests import factories
from tests.billing.payments import cashier

NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
_count = itertools.count(1)


def live(**changed) -> config.Payments:
    """Settings under which all processors count as set, Stripe in its live mode."""
    stripe = dataclasses.replace(cashier.payments().stripe, secret_key="sk_live_1")
    return cashier.payments(stripe=stripe, **changed)


@pytest.fixture
def books(db, settings):
    """All three processors count as set; the ledger is clean when the test ends."""
    settings.PAYMENTS = live()
    yield
    assert ledger.audit() == []


@pytest.fixture
def alice(books):
    """An account that its owner may pay for."""
    return factories.account_of(factories.user("alice"))


@pytest.fixture
def start(books):
    """Return `start(account, minor=..., processor=..., now=...)`: an order that waits for money."""

    def make(account, *, minor=1_000, processor="stripe", now=NOW) -> Order:
        kept = registry.get(processor)
        quote = quotes.make(account, currency=kept.currency, net_minor=minor, now=now)
        return cashier.order(
            account, minor=quote.net_minor, tax_minor=quote.tax_minor, processor=processor,
            now=now, credit_nusd=quote.credit_nusd, rate_ppm=quote.rate_ppm,
            rate_source=quote.rate_source, is_live=kept.is_live,
            evidence={"is_reverse_charge": quote.is_reverse_charge},
        )  # fmt: skip

    return make


@pytest.fixture
def pay(start):
    """Return `pay(account, ...)`: an order that is paid and credited."""

    def make(account, *, now=NOW, **fields) -> Order:
        order = start(account, now=now, **fields)
        assert applying.take(paid(order), now=now) == "applied"
        order.refresh_from_db()
        return order

    return make


def paid(order: Order, **changed) -> Notice:
    """The notice of a payment that fits an order; the same one each time."""
    told = {
        "processor": order.processor, "event_id": f"paid-{order.number}",
        "kind": NoticeKind.PAID, "order_ref": order.number,
        "payment_ref": f"pay_{order.number}", "amount_minor": order.total_minor,
        "currency": order.currency, "merchant": registry.get(order.processor).merchant,
        "is_live": order.is_live,
    }  # fmt: skip
    return Notice(**(told | changed))


def refunded(order: Order, *, minor: int, tax_minor: int = 0, now=NOW) -> Refund:
    """A refund that succeeded, as the papers see it; no money moves."""
    return Refund.objects.create(
        order=order, state=Refund.State.SUCCEEDED, amount_minor=minor, tax_minor=tax_minor,
        wallet_nusd=(minor - tax_minor) * 10_000_000, actor="tests", created_at=now, ended_at=now,
    )  # fmt: skip
