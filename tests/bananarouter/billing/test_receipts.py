"""Receipts and monthly statements on pages and as files."""

import csv
import datetime as dt
import io
import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, BillingDetails, Membership
from billing import ledger
from billing.models import MonthlyStatement, Receipt
from billing.payments import paying, statements
from billing.processors.base import Notice, NoticeKind
from tests import factories

pytestmark = pytest.mark.django_db
PAPERS = ("billing_receipt", "billing_receipt_pdf", "billing_receipt_csv")
MONTHS = ("billing_statement", "billing_statement_pdf", "billing_statement_csv")


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def rows_of(response):
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith("attachment; filename=")
    return list(csv.DictReader(io.StringIO(response.content.decode())))


@pytest.fixture
def receipt(account, order_of):
    """The paper of an order of 72 yuan with 4.32 of tax, to a company."""
    BillingDetails.objects.create(
        account=account, legal_name="Numbat GmbH", tax_id="DE123456789", country="DE"
    )
    order = order_of(account, tax_minor=432)
    notice = Notice(
        processor="alipay", event_id="e1", kind=NoticeKind.PAID, order_ref=order.number,
        payment_ref="2026112600001", amount_minor=7_632, currency="CNY",
    )  # fmt: skip
    paying.on_paid(order, notice, now=timezone.now())
    return Receipt.objects.get()


@pytest.fixture
def month(account):
    """The statement of the month before this one, in which 10 dollars came."""
    first = statements.previous_month(timezone.now().date().replace(day=1))
    at = dt.datetime.combine(first, dt.time(12), tzinfo=dt.UTC)
    Account.objects.filter(pk=account.pk).update(created_at=at)
    ledger.open_wallet(account.pk)
    kinds = ledger.LedgerAccount.Kind
    wallet = ledger.account_of(kinds.WALLET, owner_id=account.pk)
    legs = (
        ledger.Leg(account=wallet, amount_nusd=10**10),
        ledger.Leg(account=ledger.account_of(kinds.CLEARING_STRIPE), amount_nusd=-(10**10)),
    )
    ledger.post(kind="top_up", ref="one", legs=legs, actor="tests", now=at)
    statements.issue(account, first, now=timezone.now())
    return f"{MonthlyStatement.objects.get().month:%Y-%m}"


def test_a_receipt_is_listed_shown_and_saved(client, receipt):
    assert receipt.number in text_of(client.get(reverse("billing_receipts")))
    shown = text_of(client.get(reverse("billing_receipt", args=[receipt.number])))
    for said in ("Numbat GmbH", "DE123456789", "¥72.00", "¥4.32", "¥76.32"):
        assert said in shown
    pdf = client.get(reverse("billing_receipt_pdf", args=[receipt.number]))
    assert (pdf["Content-Type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    assert f'"{receipt.number}.pdf"' in pdf["Content-Disposition"]
    (one,) = rows_of(client.get(reverse("billing_receipt_csv", args=[receipt.number])))
    (same,) = rows_of(client.get(reverse("billing_receipts_csv")))
    assert one == same
    assert {"72.00", "4.32", "76.32"} <= set(one.values())


def test_a_month_is_listed_shown_and_saved(client, month):
    assert reverse("billing_statement", args=[month]) in text_of(
        client.get(reverse("billing_statements"))
    )
    assert "$10.00" in text_of(client.get(reverse("billing_statement", args=[month])))
    pdf = client.get(reverse("billing_statement_pdf", args=[month]))
    assert (pdf["Content-Type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    (line,) = rows_of(client.get(reverse("billing_statement_csv", args=[month])))
    assert any(value.startswith("10") for value in line.values())


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "1999-01", "soon", "2026-1-1"])
def test_what_is_no_month_of_the_account_is_not_found(client, month, text):
    for name in MONTHS:
        assert client.get(reverse(name, args=[text])).status_code == 404


def test_a_paper_in_an_account_where_one_may_not_see_money_does_not_exist(receipt, account):
    bob, client = factories.user("bob"), Client()
    factories.account_of(bob)  # in an own account bob sees money
    factories.join(bob, account, Membership.Role.DEVELOPER)
    client.force_login(bob)
    for name in PAPERS:
        assert client.get(reverse(name, args=[receipt.number])).status_code == 404
    Membership.objects.filter(user=bob, account=account).update(role=Membership.Role.BILLING)
    for name in PAPERS:
        assert client.get(reverse(name, args=[receipt.number])).status_code == 200
