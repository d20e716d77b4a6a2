"""An account that pays, and the sandbox that plays the payment services."""

import datetime as dt
import itertools
from dataclasses import replace

import pytest
from django.test import Client
from django.utils import timezone

from accounts.timeids import uuid7
from billing.models import Order
from billing.payments import timeline
from billing.payments.paying import on_paid
from billing.processors.base import Notice, NoticeKind
from tests import factories
from tests.billing.processors import sandboxes

_count = itertools.count(1)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    with sandboxes.start(tmp_path_factory.mktemp("sandbox")) as found:
        yield found


@pytest.fixture
def paying(sandbox, settings):
    """All three payment services, played by the sandbox."""
    settings.PAYMENTS = replace(sandbox.payments, is_sandbox=True)
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    return sandbox


@pytest.fixture
def alice(db):
    return factories.user("alice")


@pytest.fixture
def account(alice):
    return factories.account_of(alice)


@pytest.fixture
def client(alice):
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def order_of():
    """Return `order_of(account, **fields)`: an order as it lies in the database."""

    def make(account, **fields):
        at = fields.pop("created_at", timezone.now())
        made = Order.objects.create(
            **{
                "id": uuid7(), "account": account, "idempotency_key": f"key-{next(_count)}",
                "processor": "alipay", "method": "qr", "state": "pending", "is_live": False,
                "currency": "CNY", "net_minor": 7_200, "credit_nusd": 10_000_000_000,
                "rate_ppm": 7_200_000, "pay_url": "https://qr.alipay.com/bax0123456789",
                "created_at": at, "expires_at": at + dt.timedelta(minutes=30), **fields,
            }
        )  # fmt: skip
        timeline.add(made, timeline.CREATED, now=at)
        return made

    return make


@pytest.fixture
def paid(account, order_of):
    """An order whose credit is in the balance."""
    order = order_of(account)
    notice = Notice(
        processor="alipay", event_id="e1", kind=NoticeKind.PAID, order_ref=order.number,
        payment_ref="2026112600001", amount_minor=7_200, currency="CNY",
    )  # fmt: skip
    on_paid(order, notice, now=timezone.now())
    return order
