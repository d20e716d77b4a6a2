"""Statements as the real adapters read them from a real sandbox, right ones and wrong ones."""

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from bananarouter.payment_sandbox.statement_faults import FAULTS
from billing import ledger
from billing.models import Order, StatementRow, Suspense, Wallet
from billing.money import CENT
from billing.payments import applying, asking, orders, quotes, reconciliation, staff_queue
from billing.processors import registry
from billing.processors.base import Row
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


@pytest.fixture
def alice(sandbox):
    return factories.account_of(factories.user("alice"))


def started(account, processor="stripe") -> Order:
    """An order that the sandbox knows."""
    now = timezone.now()
    currency = registry.get(processor).currency
    wish = orders.Wish(
        quote=quotes.make(account, currency=currency, net_minor=6_000, now=now),
        processor=processor, method=WAYS[processor],
        idempotency_key=f"{Order.objects.count()}", payer=asking.Payer(client_ip="192.0.2.1"),
    )  # fmt: skip
    return orders.start(account, wish, user=None, now=now).order


def paid(account, processor, sandbox, *, yesterday) -> Order:
    """An order that was paid yesterday, as the sandbox and we know it."""
    order = started(account, processor)
    sandbox.act(processor, order.number, "pay")
    notice = registry.get(processor).query(asking.ask(order))
    assert applying.take(notice, now=yesterday) == "applied"
    order.refresh_from_db()
    return order


def of_yesterday(processor="stripe") -> dt.date:
    yesterday = timezone.now() - dt.timedelta(1)
    return yesterday.astimezone(reconciliation.ZONES.get(processor, dt.UTC)).date()


@pytest.mark.parametrize("processor", WAYS)
def test_each_fault_in_a_statement_is_found_and_nothing_else(processor, alice, sandbox):
    now, day = timezone.now(), of_yesterday(processor)
    # Far from midnight: what is paid just before it may stand in the next day's statement.
    noon = reconciliation.start_of(processor, day) + dt.timedelta(hours=12)
    paid(alice, processor, sandbox, yesterday=noon)
    second = paid(alice, processor, sandbox, yesterday=noon)
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


def test_what_is_missing_here_is_credited_only_when_the_processor_agrees(alice, sandbox):
    agreed, denied, silent = started(alice), started(alice), started(alice)
    for order in (agreed, silent):
        sandbox.act("stripe", order.number, "pay")  # its notice reaches nobody
    now, day = timezone.now(), of_yesterday()
    lines = [
        Row(row_ref=f"r{order.number}", kind="payment", amount_minor=order.total_minor,
            currency="USD", order_ref=order.number,
            payment_ref=sandbox.payment("stripe", order.number)["ref"])
        for order in (agreed, denied, silent)
    ]  # fmt: skip
    reconciliation.take("stripe", day, lines[2:], now=now)
    sandbox.turn(fail_calls=1)
    assert reconciliation.heal("stripe", now=now) == 0
    StatementRow.objects.update(verdict="matched")  # aside, while the others are asked about
    reconciliation.take("stripe", day, lines[:2], now=now)
    assert reconciliation.heal("stripe", now=now) == 1
    states = dict(Order.objects.values_list("pk", "state"))
    assert [states[order.pk] for order in (agreed, denied, silent)] == [
        "paid", "pending", "pending",
    ]  # fmt: skip
    assert Wallet.objects.get().credit_nusd == agreed.credit_nusd
    StatementRow.objects.filter(order_ref=silent.number).update(verdict="missing_local")
    # It is paid there, and now it answers: the row is no longer a question.
    assert reconciliation.heal("stripe", now=now) == 1
    row = StatementRow.objects.get(order_ref=silent.number)
    assert (row.resolution, row.resolved_by) == ("settled", "query")
    assert staff_queue.open_rows().count() == 1


def test_an_order_that_only_the_statement_knew_is_credited_by_an_import(alice, sandbox):
    order = started(alice)
    sandbox.act("stripe", order.number, "pay")
    result = reconciliation.import_day("stripe", of_yesterday(), now=timezone.now())
    assert (result.verdicts, result.credited) == ({"missing_local": 1}, 1)
    order.refresh_from_db()
    assert order.state == "paid"


def test_an_answer_that_tells_another_amount_goes_to_suspense(alice, sandbox):
    order = started(alice)
    sandbox.act("stripe", order.number, "pay")
    Order.objects.update(net_minor=5_999)
    result = reconciliation.import_day("stripe", of_yesterday(), now=timezone.now())
    assert result.credited == 0
    assert Suspense.objects.get().cause == "wrong_amount"
    assert Order.objects.get().state == "pending"
    assert staff_queue.open_rows().count() == 1


def test_days_are_read_in_order_when_they_are_ready_and_never_skipped(sandbox):
    day = timezone.now().date() - dt.timedelta(6)
    soon = dt.datetime.combine(day, dt.time(2, 29), tzinfo=dt.UTC) + dt.timedelta(1)
    ready = soon + dt.timedelta(minutes=31)
    # 02:29 UTC is 10:29 in Shanghai, and less than three hours after Stripe's midnight: what is
    # read then are the days before.
    early = reconciliation.import_due(now=soon)
    assert {one.day for one in early} == {day - dt.timedelta(1)}
    read = reconciliation.import_due(now=ready)
    assert [one.processor for one in read] == ["stripe", "alipay", "wechatpay"]
    assert {one.day for one in read} == {day}
    assert reconciliation.import_due(now=ready) == []
    # Two days later no processor answers: both days wait, and are read in order afterwards.
    sandbox.turn(fail_calls=3)
    later = ready + dt.timedelta(2)
    assert reconciliation.import_due(now=later) == []
    read = [one.day for one in reconciliation.import_due(now=later) if one.processor == "alipay"]
    assert read == [day + dt.timedelta(1), day + dt.timedelta(2)]


def test_the_command_reads_a_day_and_shows_a_month(alice, sandbox, capsys):
    day = of_yesterday()
    order = paid(alice, "stripe", sandbox, yesterday=timezone.now() - dt.timedelta(1))
    call_command("reconcile", processor="stripe", date=day)
    call_command("reconcile", month=day.replace(day=1))
    out = capsys.readouterr().out
    assert "1 rows, 1 new" in out
    assert "matched: 1" in out
    assert "stripe USD: " in out
    assert f"top_up {-order.total_minor * CENT}" in out
    tomorrow = timezone.now().date() + dt.timedelta(1)
    for wrong in ({"processor": "stripe"}, {"processor": "stripe", "date": tomorrow}):
        with pytest.raises(CommandError):
            call_command("reconcile", **wrong)
