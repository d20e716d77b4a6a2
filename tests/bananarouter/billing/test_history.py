"""The list of orders and the statement: filters, pages, where lines lead, and speed."""

import csv
import datetime as dt
import io
import re
import time

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.timeids import uuid7
from billing import ledger
from billing.models import LedgerAccount, LedgerEntry, Order, Wallet
from billing.payments import paying
from billing.processors.base import Notice, NoticeKind
from tests import factories

pytestmark = pytest.mark.django_db
MANY = 3_000
# Of this process alone, whatever else the machine does.
CPU_S = 0.2


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def numbers(response):
    return re.findall(r"/billing/orders/([0-9a-f]{32})", response.content.decode())


def test_the_newest_order_is_first_and_pages_follow_each_other(client, account, order_of):
    now = timezone.now()
    made = [order_of(account, created_at=now - dt.timedelta(minutes=n // 3)) for n in range(120)]
    made.sort(key=lambda order: (order.created_at, order.pk), reverse=True)
    found, query = [], ""
    while query is not None:
        page = client.get(f"{reverse('billing_history')}?{query}")
        found += numbers(page)
        older = re.search(r'rel="next" href="[^"]*\?([^"]+)"', page.content.decode())
        query = older and older[1]
    assert found == [order.number for order in made]


def test_filters_keep_states_apart_and_walk_on(client, account, order_of):
    paid = [order_of(account, state=state).number for state in ["paid", "won"] * 30]
    for state in ("failed", "closed", "refunded", "disputed", "pending"):
        order_of(account, state=state)
    page = client.get(reverse("billing_history"), {"state": "paid"})
    first = numbers(page)
    older = re.search(r'\?(state=paid&amp;before=[0-9a-f]+)"', page.content.decode())[1]
    rest = numbers(client.get(f"{reverse('billing_history')}?{older.replace('&amp;', '&')}"))
    assert sorted(first + rest) == sorted(paid)
    assert len(numbers(client.get(reverse("billing_history"), {"state": "unpaid"}))) == 2
    assert len(numbers(client.get(reverse("billing_history"), {"state": "nonsense"}))) == 50


def test_nobody_sees_anothers_orders_and_lines(account, client, order_of):
    order_of(account)
    factories.give(account, 10**9)
    mallory = Client()
    mallory.force_login(factories.user("mallory"))
    assert numbers(mallory.get(reverse("billing_history"))) == []
    before = client.get(reverse("billing_history"))
    number = numbers(before)[0]
    assert numbers(mallory.get(reverse("billing_history"), {"before": number})) == []
    entry = LedgerEntry.objects.filter(account__owner=account).get()
    assert client.get(reverse("billing_line", args=[entry.pk])).status_code == 200
    assert mallory.get(reverse("billing_line", args=[entry.pk])).status_code == 404
    assert "No lines yet" in text_of(mallory.get(reverse("billing_balance")))


def test_each_line_leads_to_what_it_is_for(client, account, order_of):
    factories.give(account, 5_000_000_000)
    order = order_of(account)
    notice = Notice(
        processor="alipay", event_id="e1", kind=NoticeKind.PAID, order_ref=order.number,
        payment_ref="p1", amount_minor=7_200, currency="CNY",
    )  # fmt: skip
    paying.on_paid(order, notice, now=timezone.now())
    page = client.get(reverse("billing_balance"))
    lines = page.context["lines"]
    assert [(line.amount_nusd, line.balance_nusd) for line in lines] == [
        (10_000_000_000, 15_000_000_000), (5_000_000_000, 5_000_000_000),
    ]  # fmt: skip
    assert lines[0].href == reverse("billing_order", args=[order.number])
    assert "Money added" in text_of(page)
    assert "Credit from the operator" in text_of(page)


def test_the_requests_of_a_line_add_up(desk):
    other = Client()
    other.force_login(desk.person)
    first, second = desk.request(cost_nusd=1_000), desk.request(cost_nusd=2_500)
    desk.close()
    page = other.get(reverse("billing_balance"))
    line = page.context["lines"][0]
    assert (str(line.text), line.amount_nusd) == ("Requests", -3_500)
    shown = text_of(other.get(line.href))
    for request_id in (first, second):
        assert reverse("request", args=[request_id]) in shown
    mallory = Client()
    mallory.force_login(factories.user("mallory"))
    assert mallory.get(line.href).status_code == 404


def test_the_sum_on_top_is_the_balance(desk):
    client = Client()
    client.force_login(desk.person)
    desk.request(cost_nusd=2_000_000_000)
    shown = client.get(reverse("billing_balance")).context
    balance = shown["shell"].balance
    parts = ("posted_nusd", "unposted_nusd", "in_flight_nusd", "reserved_nusd")
    assert sum(shown[name] for name in parts) == balance.available_nusd
    assert shown["unposted_nusd"] == -2_000_000_000


def test_the_csv_is_exact_and_the_same(client, account):
    for amount in (1_000_000_001, 5):
        factories.give(account, amount)
    response = client.get(reverse("billing_balance_csv"))
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert [(row["amount_usd"], row["balance_usd"]) for row in rows] == [
        ("0.000000005", "1.000000006"), ("1.000000001", "1.000000001"),
    ]  # fmt: skip
    assert rows[0]["line"] == "Credit from the operator"


@pytest.fixture
def many(account):
    """An account with a lot of orders and lines."""
    now = timezone.now()
    Order.objects.bulk_create(
        Order(
            id=uuid7(), account=account, idempotency_key=f"k{n}", processor="stripe",
            method="checkout", state="failed" if n == 0 else "paid", is_live=False, currency="USD",
            net_minor=500, credit_nusd=5 * 10**9, created_at=now + dt.timedelta(seconds=n),
            expires_at=now,
        )
        for n in range(MANY)
    )  # fmt: skip
    factories.give(account, MANY * 1_000)
    ledger_account = LedgerAccount.objects.get(owner=account)
    posting = LedgerEntry.objects.get(account=ledger_account).transaction
    assert Wallet.objects.get().credit_nusd == MANY * 1_000
    return posting


@pytest.mark.sqlite
@pytest.mark.parametrize("query", ["", "state=unpaid", "state=paid", "state=disputed"])
def test_many_orders_are_listed_fast(client, many, query, django_assert_max_num_queries):
    client.get(reverse("billing_history"))
    began = time.process_time()
    with django_assert_max_num_queries(12):
        page = client.get(f"{reverse('billing_history')}?{query}")
    assert time.process_time() - began < CPU_S
    assert len(numbers(page)) == {"": 50, "state=unpaid": 1, "state=paid": 50}.get(query, 0)


def test_the_statement_asks_the_database_little(client, account, django_assert_max_num_queries):
    factories.give(account, 10**9)
    with django_assert_max_num_queries(12):
        client.get(reverse("billing_balance"))
    assert ledger.audit() == []
