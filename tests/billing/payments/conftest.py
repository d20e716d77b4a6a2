"""Orders that are paid, with scripted processors; every test that moves money ends in an audit."""

import datetime as dt
import itertools
from types import SimpleNamespace

import pytest

from billing import ledger
from billing.models import Order, Refund
from billing.payments import applying, asking, orders, quotes
from billing.processors import registry
from tests import factories
from tests.billing.payments import till

NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
_count = itertools.count(1)


@pytest.fixture
def tills(db, settings, monkeypatch):
    """The three processors, scripted; the ledger is clean when the test ends."""
    settings.PAYMENTS = till.payments()
    made = {name: till.Till(name) for name in registry.NAMES}
    for name, one in made.items():
        monkeypatch.setitem(registry._MAKERS, name, lambda one=one: one)
    yield SimpleNamespace(**made)
    assert ledger.audit() == []


@pytest.fixture
def alice(tills):
    """An account that its owner may pay for."""
    return factories.account_of(factories.user("alice"))


@pytest.fixture
def start(tills):
    """Return `start(account, minor=..., processor=..., now=...)`: an order that waits for money."""

    def make(account, *, minor=1_000, processor="stripe", now=NOW, key=None, **fields) -> Order:
        currency = till.CURRENCIES[processor]
        quote = quotes.make(account, currency=currency, net_minor=minor, now=now)
        wish = orders.Wish(
            quote=quote, processor=processor, idempotency_key=key or f"key-{next(_count)}",
            method="checkout" if processor == "stripe" else "qr", **fields,
        )  # fmt: skip
        return orders.start(account, wish, user=account.members.first(), now=now).order

    return make


@pytest.fixture
def pay(tills, start):
    """Return `pay(account, ...)`: an order that is paid and credited."""

    def make(account, *, now=NOW, order=None, **fields) -> Order:
        order = order or start(account, now=now, **fields)
        notice = getattr(tills, order.processor).paid(asking.ask(order))
        assert applying.take(notice, now=now) == "applied"
        order.refresh_from_db()
        return order

    return make


def refunded(order: Order, *, minor: int, tax_minor: int = 0, now=NOW) -> Refund:
    """A refund that succeeded, as the papers see it; no money moves."""
    return Refund.objects.create(
        order=order, state=Refund.State.SUCCEEDED, amount_minor=minor, tax_minor=tax_minor,
        wallet_nusd=(minor - tax_minor) * 10_000_000, actor="tests", created_at=now, ended_at=now,
    )  # fmt: skip
