"""Statements against our books: every line judged, each fee and payout posted once."""

import datetime as dt
from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from accounts.timeids import uuid7
from billing.models import (
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Order,
    Refund,
    StatementImport,
    StatementRow,
    Suspense,
    Wallet,
)
from billing.payments import applying, asking, clearing_report, reconciliation
from billing.processors.base import NoticeKind, Row, Unavailable
from tests.billing.payments.conftest import NOW, refunded

DAY = NOW.date()
LATER = NOW + dt.timedelta(days=1)
CENT = 10_000_000


def row(order=None, **changed) -> Row:
    values = {"row_ref": "r1", "kind": "payment", "amount_minor": 1_000, "currency": "USD"}
    if order is not None:
        values |= {
            "row_ref": f"row_{order.number}", "order_ref": order.number,
            "payment_ref": f"pay_{order.number}", "amount_minor": order.total_minor,
            "currency": order.currency, "status": "success",
        }  # fmt: skip
    return Row(**values | changed)


@pytest.fixture
def read(tills):
    """Return `read(*rows, day=..., processor=...)`: import a statement with these lines."""

    def run(*rows, day=DAY, processor="stripe", now=LATER):
        getattr(tills, processor).days[day] = list(rows)
        return reconciliation.import_day(processor, day, now=now)

    return run


def verdicts() -> dict[str, str]:
    return dict(StatementRow.objects.values_list("row_ref", "verdict"))


def balance(kind, currency="USD") -> int:
    rows = LedgerEntry.objects.filter(account__kind=kind, account__currency=currency)
    return sum(rows.values_list("amount_nusd", flat=True))


def test_what_agrees_is_matched_and_its_fee_posted_once(alice, pay, read):
    order = pay(alice)
    fee = row(row_ref="f", kind="fee", amount_minor=-20)
    result = read(row(order, fee_minor=30), fee)
    assert result.verdicts == {"matched": 1, "fee": 1}
    assert balance("fees") == -50 * CENT
    assert balance("clearing:stripe") == -950 * CENT
    assert read(row(order, fee_minor=30), fee).new == 0
    # More lines of the same day: only what is new is posted.
    more = row(row_ref="f2", kind="fee", amount_minor=-5)
    assert read(row(order, fee_minor=30), fee, more).new == 1
    assert balance("fees") == -55 * CENT
    assert StatementImport.objects.get().rows == 3
    assert not reconciliation.open_rows().exists()


def test_clearing_is_zero_when_everything_was_paid_out(alice, pay, read):
    orders = [pay(alice), pay(alice, minor=2_500)]
    lines = [row(order, fee_minor=30) for order in orders]
    read(*lines, row(row_ref="p", kind="payout", amount_minor=-3_440))
    (found,) = clearing_report.of_month(DAY.replace(day=1))
    assert found.is_zero
    assert found.by_kind == {
        "top_up": -3_500 * CENT, "fees": 60 * CENT, "payout": 3_440 * CENT,
    }  # fmt: skip
    assert balance("bank") == -3_440 * CENT
    pay(alice, now=dt.datetime(2026, 12, 1, tzinfo=dt.UTC))
    assert clearing_report.of_month(DAY.replace(day=1)) == [found]
    (december,) = clearing_report.of_month(dt.date(2026, 12, 1))
    assert (december.opening, december.closing, december.is_zero) == (0, -1_000 * CENT, False)


@pytest.mark.clause("1.3-records")
@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({"amount_minor": 999}, "amount_diff"),
        ({"currency": "CNY"}, "amount_diff"),
        ({"status": "failed"}, "status_diff"),
        ({"payment_ref": "another"}, "missing_local"),
        ({"payment_ref": ""}, "matched"),
        ({"order_ref": ""}, "matched"),
        ({"order_ref": "", "payment_ref": "unknown"}, "missing_local"),
        ({"order_ref": "no number", "payment_ref": "unknown"}, "missing_local"),
        ({"kind": "other"}, "missing_local"),
        ({"kind": "other", "amount_minor": 0}, "matched"),
        ({"kind": "dispute", "amount_minor": -1_000}, "missing_local"),
        ({"kind": "refund", "amount_minor": -1_000}, "missing_local"),
    ],
)
def test_each_difference_has_its_verdict(alice, pay, read, changed, verdict):
    order = pay(alice)
    read(row(order, **changed))
    assert verdicts()[f"row_{order.number}"] == verdict
    waits = reconciliation.open_rows().filter(row_ref=f"row_{order.number}").exists()
    assert waits == (verdict != "matched")
    assert Wallet.objects.get().credit_nusd == order.credit_nusd  # a row never credits


def test_a_payment_told_twice_is_a_duplicate_on_the_same_day_and_later(alice, pay, read):
    order = pay(alice)
    read(row(order), row(order), row(order, row_ref="other"))
    read(row(order, row_ref="later"), day=DAY + dt.timedelta(1), now=LATER + dt.timedelta(1))
    assert Counter(verdicts().values()) == {"matched": 1, "duplicate": 3}


def test_an_order_of_another_processor_is_not_ours(alice, pay, read):
    order = pay(alice)
    read(row(order), processor="alipay")
    assert verdicts() == {f"row_{order.number}": "missing_local"}


def test_refunds_are_compared_with_refunds(alice, pay, read):
    order, other = pay(alice), pay(alice)
    done, wrong, failed = refunded(order, minor=300), refunded(order, minor=200), refunded(
        other, minor=100
    )  # fmt: skip
    Refund.objects.filter(pk=failed.pk).update(state="failed")
    Refund.objects.filter(pk=done.pk).update(refund_ref="re_1")
    back = {"kind": "refund", "payment_ref": order.payment_ref}
    read(
        row(order), row(other),
        row(row_ref="a", amount_minor=-300, refund_ref="re_1", **back),
        row(row_ref="b", amount_minor=-201, refund_ref=wrong.id.hex, **back),
        row(row_ref="c", amount_minor=-100, **{**back, "payment_ref": other.payment_ref}),
        row(row_ref="d", amount_minor=-300, refund_ref="re_1", **back),
    )  # fmt: skip
    found = verdicts()
    assert [found[name] for name in "abcd"] == [
        "matched", "amount_diff", "status_diff", "duplicate",
    ]  # fmt: skip


def test_what_a_statement_lacks_waits_until_a_later_one_has_it(alice, pay, read):
    order = pay(alice)
    refund = refunded(order, minor=300)
    assert read().verdicts == {"missing_remote": 2}
    assert reconciliation.open_rows().count() == 2
    next_day = DAY + dt.timedelta(1)
    read(
        row(order),
        row(row_ref="b", kind="refund", amount_minor=-300, payment_ref=order.payment_ref,
            refund_ref=refund.id.hex),
        day=next_day, now=LATER + dt.timedelta(1),
    )  # fmt: skip
    assert not reconciliation.open_rows().exists()
    assert StatementRow.objects.filter(resolved_by="import").count() == 2


def test_payments_around_midnight_are_no_alarm(alice, pay, read):
    midnight = dt.datetime.combine(DAY, dt.time(), tzinfo=dt.UTC)
    read(day=DAY - dt.timedelta(1))
    early = pay(alice, now=midnight + dt.timedelta(minutes=1))  # its row: the day before
    late = pay(alice, now=midnight + dt.timedelta(hours=23, minutes=59))  # its row: the day after
    StatementRow.objects.all().delete()
    StatementImport.objects.all().delete()
    read(row(early), day=DAY - dt.timedelta(1))
    read(day=DAY)
    assert set(verdicts().values()) == {"matched"}
    read(row(late), day=DAY + dt.timedelta(1))
    read(day=DAY + dt.timedelta(2))
    assert set(verdicts().values()) == {"matched"}


def test_china_has_its_own_days(alice, pay, read):
    # 17:00 UTC on the 20th is the 21st in Shanghai.
    pay(alice, processor="alipay", minor=10_000, now=NOW + dt.timedelta(hours=5))
    read(processor="alipay", day=DAY)
    assert verdicts() == {}
    assert read(processor="alipay", day=DAY + dt.timedelta(1)).verdicts == {"missing_remote": 1}


def test_what_is_missing_here_is_credited_only_when_the_processor_agrees(alice, start, tills, read):
    agreed, denied, silent = start(alice), start(alice), start(alice)

    def answer(ask):
        if ask.number == silent.number:
            raise Unavailable("timeout")
        kind = NoticeKind.PAID if ask.number == agreed.number else NoticeKind.PENDING
        return tills.stripe.paid(ask, kind=kind, event_id=f"{kind}{ask.number}")

    tills.stripe.script.on_query = answer
    result = read(row(agreed), row(denied), row(silent))
    assert result.verdicts == {"missing_local": 3}
    assert result.credited == 1
    states = {order.pk: order.state for order in Order.objects.all()}
    assert [states[order.pk] for order in (agreed, denied, silent)] == [
        "paid",
        "pending",
        "pending",
    ]
    assert Wallet.objects.get().credit_nusd == agreed.credit_nusd
    assert reconciliation.open_rows().count() == 2
    # The notice comes after all: the row is no longer a question.
    applying.take(tills.stripe.paid(asking.ask(silent)), now=LATER)
    assert reconciliation.heal("stripe", now=LATER) == 1


def test_a_query_that_tells_another_amount_goes_to_suspense(alice, start, tills, read):
    order = start(alice)
    tills.stripe.script.on_query = lambda ask: tills.stripe.paid(ask, amount_minor=1)
    assert read(row(order)).credited == 0
    assert Suspense.objects.get().cause == "wrong_amount"
    assert Order.objects.get().state == "pending"
    assert reconciliation.open_rows().count() == 1


def test_staff_take_a_row_out_of_the_queue_once(read):
    read(row(payment_ref="unknown"))
    (waiting,) = reconciliation.open_rows("stripe")
    assert reconciliation.resolve(waiting, by="staff:1", note="Sent back", now=NOW)
    assert not reconciliation.resolve(waiting, by="staff:2", note="", now=NOW)
    assert StatementRow.objects.get().resolved_by == "staff:1"
    assert not reconciliation.open_rows().exists()


def test_days_are_read_in_order_when_they_are_ready_and_never_skipped(tills):
    two, four = DAY + dt.timedelta(1), DAY + dt.timedelta(3)
    for till in (tills.stripe, tills.alipay, tills.wechatpay):
        till.days = {DAY: [], two: []}
    # 02:29 UTC is 10:29 in Shanghai, and less than three hours after Stripe's midnight.
    assert reconciliation.import_due(now=dt.datetime(2026, 11, 21, 2, 29, tzinfo=dt.UTC)) == []
    ready = dt.datetime(2026, 11, 21, 3, 0, tzinfo=dt.UTC)
    assert [one.processor for one in reconciliation.import_due(now=ready)] == [
        "stripe", "alipay", "wechatpay",
    ]  # fmt: skip
    assert reconciliation.import_due(now=ready) == []
    # Two days later one of two statements is there: the rest waits for the missing one.
    found = reconciliation.import_due(now=ready + dt.timedelta(2))
    assert {one.day for one in found} == {two}
    tills.stripe.days[four] = []
    assert reconciliation.import_due(now=ready + dt.timedelta(4)) == []


def test_the_command_reads_a_day_and_shows_a_month(alice, pay, tills, capsys):
    tills.stripe.days[DAY] = [row(pay(alice), fee_minor=30)]
    call_command("reconcile", processor="stripe", date=DAY)
    call_command("reconcile", month=DAY.replace(day=1))
    out = capsys.readouterr().out
    assert "1 rows, 1 new" in out
    assert "matched: 1" in out
    assert "stripe USD: " in out
    assert f"top_up {-1_000 * CENT}" in out
    for wrong in ({"processor": "stripe"}, {"processor": "stripe", "date": dt.date(2020, 1, 1)}):
        with pytest.raises(CommandError):
            call_command("reconcile", **wrong)


def test_six_kinds_of_faults_are_all_found_and_nothing_else(
    alice, read, proof_count, django_assert_max_num_queries
):
    """10,000 orders, of which 1% have each of six faults: recall 100%, no false alarm."""
    count = proof_count(1_000, 10_000)
    each = count // 100
    orders = [
        Order(
            id=uuid7(), account=alice, idempotency_key=f"k{n}", processor="stripe", is_live=True,
            method="checkout", state="paid", currency="USD", net_minor=500 + n, tax_minor=n % 7,
            credit_nusd=500 + n, created_at=NOW, expires_at=NOW, paid_at=NOW,
        )
        for n in range(count)
    ]  # fmt: skip
    for order in orders:
        order.payment_ref = f"pay_{order.number}"
    parts = [orders[each * n : each * (n + 1)] for n in range(6)]
    unpaid, unknown, lacking, amounts, states, doubles = parts
    for order in unpaid:
        order.state, order.payment_ref, order.paid_at = "pending", "", None
    Order.objects.bulk_create(set(orders) - set(unknown))
    lines, expected = [], {}
    for order in orders:
        if order in lacking:
            expected[f"local:{order.number}"] = "missing_remote"
            continue
        changed = {"fee_minor": 30}
        if order in amounts:
            changed["amount_minor"] = order.total_minor + 1
        if order in states:
            changed["status"] = "failed"
        lines.append(row(order, **changed))
        expected[lines[-1].row_ref] = "matched"
    expected |= {f"row_{order.number}": "missing_local" for order in [*unpaid, *unknown]}
    expected |= {f"row_{order.number}": "amount_diff" for order in amounts}
    expected |= {f"row_{order.number}": "status_diff" for order in states}
    for order in doubles:
        lines.append(row(order, row_ref=f"again_{order.number}", fee_minor=30))
        expected[lines[-1].row_ref] = "duplicate"
    with django_assert_max_num_queries(60 + 8 * (count // 1_000) + 4 * each):
        result = read(*lines)
    assert verdicts() == expected
    assert sum(result.verdicts.values()) == len(expected)
    alarms = {one.row_ref for one in reconciliation.open_rows()}
    assert alarms == {name for name, verdict in expected.items() if verdict != "matched"}
    assert len(alarms) == 6 * each
    # Fees: of every line that is neither a double nor failed, once.
    assert balance("fees") == -30 * CENT * (len(lines) - 2 * each)
    assert read(*lines).new == 0
    assert LedgerTransaction.objects.filter(kind="fees").count() == 1
    assert LedgerAccount.objects.filter(kind="suspense").count() == 0
