"""Statements with faults, by the real adapters from a real sandbox: each is found, and no other."""

import datetime as dt

import pytest
from django.db import transaction
from django.utils import timezone

from bananarouter.payment_sandbox.statement_faults import FAULTS
from billing import ledger
from billing.models import Order, StatementRow
from billing.payments import applying, asking, orders, quotes, reconciliation, staff_queue
from billing.processors import registry
from tests import factories
from tests.billing.processors import sandboxes

pytestmark = pytest.mark.django_db
DAY_S = 86_400
WAYS = {"stripe": "checkout", "alipay": "qr", "wechatpay": "qr"}
# Of the first of two payments; the second one is always matched.
VERDICTS = {
    "": {"matched"},
    "missing": {"missing_remote"},
    "duplicate": {"matched", "duplicate"},
    "amount": {"amount_diff"},
    "unknown": {"missing_local", "missing_remote"},
    "currency": {"amount_diff"},
    "fee": {"fee_diff"},
}


@pytest.fixture
def sandbox(tmp_path_factory, settings):
    with sandboxes.start(tmp_path_factory.mktemp("sandbox")) as started:
        settings.PAYMENTS, settings.PUBLIC_URL = started.payments, "http://127.0.0.1:9"
        started.turn(booked_s=-DAY_S, retries=0)
        yield started
    assert ledger.audit() == []


def paid(account, processor, sandbox, *, yesterday) -> Order:
    """An order that was paid yesterday, as the sandbox and we know it."""
    now = timezone.now()
    currency = registry.get(processor).currency
    wish = orders.Wish(
        quote=quotes.make(account, currency=currency, net_minor=7_200, now=now),
        processor=processor, method=WAYS[processor],
        idempotency_key=f"{Order.objects.count()}", payer=asking.Payer(client_ip="192.0.2.1"),
    )  # fmt: skip
    order = orders.start(account, wish, user=None, now=now).order
    sandbox.act(processor, order.number, "pay")
    notice = registry.get(processor).query(asking.ask(order))
    assert applying.take(notice, now=yesterday) == "applied"
    order.refresh_from_db()
    return order


@pytest.mark.parametrize("processor", WAYS)
def test_each_fault_in_a_statement_is_found_and_nothing_else(processor, sandbox):
    account = factories.account_of(factories.user("alice"))
    now = timezone.now()
    yesterday = now - dt.timedelta(1)
    day = yesterday.astimezone(reconciliation.ZONES.get(processor, dt.UTC)).date()
    paid(account, processor, sandbox, yesterday=yesterday)
    second = paid(account, processor, sandbox, yesterday=yesterday)
    for fault in ("", *FAULTS):
        if (processor, fault) == ("alipay", "currency"):  # its bill has no currency
            continue
        sandbox.turn(statement=fault)
        with transaction.atomic():
            reconciliation.import_day(processor, day, now=now)
            lines = StatementRow.objects.exclude(payment_ref=second.payment_ref)
            assert set(lines.values_list("verdict", flat=True)) == VERDICTS[fault], fault
            assert StatementRow.objects.get(payment_ref=second.payment_ref).verdict == "matched"
            waiting = set(staff_queue.open_rows().values_list("verdict", flat=True))
            assert waiting == VERDICTS[fault] - {"matched"}, fault
            assert ledger.audit() == []
            transaction.set_rollback(True)
