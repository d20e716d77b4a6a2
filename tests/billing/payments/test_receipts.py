"""Receipts and credit notes: numbers without gaps, frozen, once for each payment."""

import datetime as dt

import pytest
from django.db import transaction

from accounts.models import BillingDetails
from billing.models import Dispute, PaperNumber, Receipt, Refund
from billing.payments import applying, receipts, refunds
from billing.processors.base import NoticeKind
from tests.billing.payments.conftest import NOW, live, paid, refunded


def numbers() -> list[str]:
    return list(Receipt.objects.order_by("pk").values_list("number", flat=True))


def test_every_paid_order_has_one_receipt_numbered_without_gaps(alice, pay):
    orders = [pay(alice) for _ in range(3)]
    assert numbers() == ["BR-2026-000001", "BR-2026-000002", "BR-2026-000003"]
    # The same fact again, in an event of its own, issues nothing.
    again = paid(orders[0], event_id="again")
    assert applying.take(again, now=NOW) == "repeated"
    assert receipts.issue(orders[1], now=NOW).number == "BR-2026-000002"
    assert len(numbers()) == 3


def test_a_payment_that_is_rolled_back_leaves_no_gap(alice, pay):
    pay(alice)
    with transaction.atomic():
        pay(alice)
        transaction.set_rollback(True)
    pay(alice)
    assert numbers() == ["BR-2026-000001", "BR-2026-000002"]
    assert PaperNumber.objects.get().latest == 2


def test_an_order_that_is_not_paid_has_no_receipt(alice, start):
    with pytest.raises(receipts.NotPaid):
        receipts.issue(start(alice), now=NOW)
    assert not Receipt.objects.exists()
    assert not PaperNumber.objects.exists()


def test_each_year_and_each_mode_counts_by_itself(alice, pay):
    pay(alice)
    pay(alice, now=dt.datetime(2027, 1, 1, 0, 0, tzinfo=dt.UTC))
    order = pay(alice)
    order.is_live = False
    order.save()
    Receipt.objects.filter(order=order).delete()
    receipts.issue(order, now=NOW)
    assert numbers() == ["BR-2026-000001", "BR-2027-000001", "TEST-BR-2026-000001"]


def test_a_receipt_is_frozen_with_three_numbers(settings, alice, pay):
    settings.PAYMENTS = live(tax_ppm={"DE": 190_000}, seller_country="DE")
    details = BillingDetails.objects.create(
        account=alice, legal_name="Alice GmbH", tax_id="DE1", country="DE", address="Berlin"
    )
    order = pay(alice, minor=1_000)
    details.legal_name = "Somebody else"
    details.save()
    settings.PAYMENTS = live()
    found = receipts.facts(Receipt.objects.get(order=order))
    assert (found.net, found.tax, found.total) == ("10.00", "1.90", "11.90")
    assert found.credit_nusd == 10_000_000_000
    assert found.tax_percent == "19"
    assert (found.buyer.name, found.buyer.tax_id) == ("Alice GmbH", "DE1")
    assert not found.is_reverse_charge
    assert found.rate == ""
    assert found.payment_ref == f"pay_{order.number}"


def test_a_tax_id_abroad_shifts_the_tax_and_the_receipt_says_so(settings, alice, pay):
    settings.PAYMENTS = live(tax_ppm={"FR": 200_000}, seller_country="DE")
    BillingDetails.objects.create(account=alice, tax_id="FR1", country="FR")
    order = pay(alice)
    BillingDetails.objects.all().delete()  # what was agreed to at the order stays
    found = receipts.facts(Receipt.objects.get(order=order))
    assert found.is_reverse_charge
    assert (found.tax, found.tax_percent) == ("0.00", "")


def test_yuan_are_told_with_their_rate(alice, pay):
    order = pay(alice, processor="alipay", minor=7_200)
    found = receipts.facts(Receipt.objects.get(order=order))
    assert (found.currency, found.total, found.rate) == ("CNY", "72.00", "7.2")
    assert found.rate_source == "operator"
    assert found.credit_nusd == 10_000_000_000


def test_a_credit_note_names_its_receipt_and_is_issued_once(alice, pay):
    order = pay(alice)
    refund = refunded(order, minor=400)
    note = receipts.credit_note(refund, now=NOW)
    assert note.number == "CN-2026-000001"
    assert receipts.credit_note(refund, now=NOW) == note
    found = receipts.facts(note)
    assert found.is_note
    assert (found.total, found.credit_nusd) == ("4.00", 4_000_000_000)
    assert (found.receipt_number, found.cause) == ("BR-2026-000001", "refund")
    assert numbers() == ["BR-2026-000001", "CN-2026-000001"]


def test_only_money_that_went_back_has_a_credit_note(alice, pay):
    refund = refunded(pay(alice), minor=400)
    refund.state = "pending"
    with pytest.raises(receipts.NotPaid):
        receipts.credit_note(refund, now=NOW)
    assert numbers() == ["BR-2026-000001"]


def test_what_ended_without_its_credit_note_gets_it_later(settings, alice, pay):
    settings.PAYMENTS = live(tax_ppm={"DE": 190_000}, seller_country="DE")
    BillingDetails.objects.create(account=alice, country="DE")
    refunded(pay(alice), minor=595, tax_minor=95)
    order = pay(alice)
    Dispute.objects.create(
        order=order, dispute_ref="d", state="lost", amount_minor=1_190, taken_nusd=7, owed_nusd=3,
        tax_minor=190,
        opened_at=NOW, ended_at=NOW,
    )  # fmt: skip
    assert receipts.write_missing(now=NOW) == 2
    assert receipts.write_missing(now=NOW) == 0
    of_refund, of_dispute = map(receipts.facts, Receipt.objects.filter(kind="credit_note"))
    assert (of_refund.net, of_refund.tax, of_refund.total) == ("5.00", "0.95", "5.95")
    assert (of_dispute.net, of_dispute.tax, of_dispute.cause) == ("10.00", "1.90", "dispute")
    assert of_dispute.credit_nusd == 10


def test_a_credit_note_is_undone_when_the_money_stayed_after_all(alice, pay):
    """A refund may fail after it arrived, and a lost dispute be won: papers are never changed."""
    order = pay(alice)
    refund = refunded(order, minor=400)
    note = receipts.credit_note(refund, now=NOW)
    before = note.facts
    assert receipts.write_missing(now=NOW) == 0
    Refund.objects.update(state="failed")
    assert receipts.write_missing(now=NOW) == 1
    assert receipts.write_missing(now=NOW) == 0
    undone = receipts.facts(Receipt.objects.latest("pk"))
    assert (undone.number, undone.cause, undone.total) == ("BR-2026-000002", "undone", "4.00")
    assert undone.receipt_number == note.number
    assert Receipt.objects.get(pk=note.pk).facts == before


def test_a_refund_issues_its_credit_note_itself(alice, pay):
    order = pay(alice)
    refund = refunds.ask(order, 400, reason="", actor="tests", now=NOW)
    notice = paid(
        order, event_id="back", kind=NoticeKind.REFUNDED,
        refund_id=refund.id.hex, refund_ref="re_1", refund_minor=400,
    )  # fmt: skip
    assert applying.take(notice, now=NOW) == "applied"
    note = receipts.facts(Receipt.objects.get(kind="credit_note"))
    assert (note.total, note.credit_nusd, note.cause) == ("4.00", 4_000_000_000, "refund")
    assert Refund.objects.get().state == "succeeded"
