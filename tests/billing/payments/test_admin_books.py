"""Staff's pages of the books: fapiao, lines of statements, clearing, credit given by hand."""

import csv
import datetime as dt
import io
import uuid

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.core import mail
from django.core.management import call_command
from django.urls import reverse

from accounts.models import User
from billing import ledger
from billing.models import (
    FapiaoRequest,
    LedgerTransaction,
    Order,
    StaffCredit,
    StatementRow,
    Suspense,
    Wallet,
)
from billing.payments import fapiao
from tests import factories, mailbox
from tests.billing.payments import cashier
from tests.billing.payments.cashier import NOW, USD, pay, sums

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def configured(db, settings):
    settings.PAYMENTS = cashier.payments()
    yield
    assert ledger.audit() == []


@pytest.fixture
def alice():
    return factories.account_of(factories.user("alice"))


@pytest.fixture
def log_in(client):
    """Return `log_in(role, name)`: the client of staff in that role."""
    call_command("staff_roles")

    def run(role, name="fay"):
        user, _ = User.objects.get_or_create(
            username=name, email=f"{name}@example.com", is_staff=True
        )
        user.groups.set([Group.objects.get(name=role)])
        factories.log_in(client, user)
        return client

    return run


@pytest.fixture
def finance(log_in):
    return log_in("finance")


def page(row, tool="") -> str:
    if tool:
        return reverse(f"admin:billing_{row._meta.model_name}_do", args=[row.pk, tool])
    return reverse(f"admin:billing_{row._meta.model_name}_change", args=[row.pk])


def listing(model) -> str:
    return reverse(f"admin:billing_{model._meta.model_name}_changelist")


def text(answer) -> str:
    return answer.content.decode()


@pytest.fixture
def asked(alice):
    """A request for a fapiao of a paid order."""
    order = pay(alice, processor="alipay", minor=10_000)
    wanted = fapiao.Wanted(title="香蕉公司", email="tax@example.com")
    return fapiao.ask(order, wanted, by=User.objects.get(username="alice"), now=NOW)


ISSUED = {
    "answer": "issue", "number": "25317000001234567890", "issued_on": "2026-11-20",
    "file_ref": "2026/11/20.pdf",
}  # fmt: skip


def test_finance_issues_a_fapiao_once(finance, asked):
    assert page(asked, "answer") in text(finance.get(page(asked)))
    assert "CNY 100.00" in text(finance.get(page(asked, "answer")))
    assert finance.post(page(asked, "answer"), ISSUED).status_code == 302
    asked.refresh_from_db()
    assert (asked.state, asked.fapiao_number, asked.fapiao_date, asked.file_ref) == (
        "issued", "25317000001234567890", dt.date(2026, 11, 20), "2026/11/20.pdf",
    )  # fmt: skip
    again = finance.post(page(asked, "answer"), ISSUED | {"number": "99999999"})
    assert "It was answered before" in text(again)
    asked.refresh_from_db()
    assert asked.fapiao_number == "25317000001234567890"
    line = asked.order.timeline.get(code="fapiao_issued")
    assert line.actor == asked.answered_by == f"staff:{User.objects.get(username='fay').pk}"
    mailbox.deliver()
    assert [sent.to for sent in mail.outbox] == [["tax@example.com"]]
    assert page(asked, "answer") not in text(finance.get(page(asked)))


def test_a_fapiao_is_refused_with_a_reason_that_the_payer_reads(finance, asked, client):
    url = page(asked, "answer")
    assert "Write why" in text(finance.post(url, {"answer": "refuse", "note": " "}))
    sent = {"answer": "refuse", "note": "The title is not registered."}
    assert finance.post(url, sent).status_code == 302
    assert "The title is not registered." in LogEntry.objects.get(action_flag=CHANGE).change_message
    client.force_login(User.objects.get(username="alice"))
    shown = client.get(reverse("billing_order_fapiao", args=[asked.order.number]))
    assert "The title is not registered." in text(shown)


def test_a_red_letter_fapiao_is_issued_once(finance, asked):
    FapiaoRequest.objects.update(state="red_asked", fapiao_number="25317000001234567890")
    shown = text(finance.get(page(asked, "answer")))
    assert "Reverses fapiao" in shown
    assert "It cannot be issued" not in shown
    sent = {"number": "88888888", "issued_on": "2026-11-21", "file_ref": "red.pdf"}
    assert finance.post(page(asked, "answer"), sent).status_code == 302
    assert "It was answered before" in text(finance.post(page(asked, "answer"), sent))
    asked.refresh_from_db()
    assert (asked.state, asked.red_number, asked.red_file_ref) == (
        "red_issued", "88888888", "red.pdf",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"number": "123"}, "8 to 20 digits"),
        ({"number": ""}, "This field is required"),
        ({"issued_on": ""}, "This field is required"),
        ({"issued_on": "2026-11-19"}, "before the payment"),
        ({"issued_on": "2099-01-01"}, "after today"),
        ({"answer": ""}, "This field is required"),
    ],
)
def test_what_cannot_be_issued_is_said_and_what_was_typed_stays(finance, asked, changed, said):
    shown = text(finance.post(page(asked, "answer"), ISSUED | changed))
    assert said in shown
    assert 'value="2026/11/20.pdf"' in shown
    asked.refresh_from_db()
    assert asked.state == "asked"


def test_what_went_back_meanwhile_is_not_issued(finance, asked):
    Order.objects.update(refunded_minor=10_000, state="refunded")
    assert "the money went back" in text(finance.post(page(asked, "answer"), ISSUED))


@pytest.fixture
def line():
    """A line of a statement that nobody knows."""
    return StatementRow.objects.create(
        processor="stripe", row_ref="txn_1", day=NOW.date(), kind="payment", amount_minor=700,
        currency="USD", payment_ref="pi_stranger", status="available", verdict="missing_local",
    )  # fmt: skip


def test_finance_decides_about_a_line_once(finance, line):
    url = page(line, "resolve")
    assert url in text(finance.get(page(line)))
    assert "USD 7.00" in text(finance.get(url))
    sent = {"resolution": "suspended", "note": "Asked the bank"}
    assert finance.post(url, sent).status_code == 302
    assert finance.post(url, sent | {"resolution": "explained"}).status_code == 200
    line.refresh_from_db()
    assert (line.resolution, line.note) == ("suspended", "Asked the bank")
    assert line.resolved_by.startswith("staff:")
    assert Suspense.objects.get().amount_minor == 700
    assert url not in text(finance.get(page(line)))


def test_only_what_fits_the_line_is_offered_and_taken(finance, line):
    StatementRow.objects.update(kind="dispute", amount_minor=-700)
    shown = text(finance.get(page(line, "resolve")))
    assert "It is explained" in shown
    assert "Put the money aside" not in shown
    sent = {"resolution": "written_off", "note": "n"}
    assert "Select a valid choice" in text(finance.post(page(line, "resolve"), sent))
    no_reason = {"resolution": "explained", "note": ""}
    assert "This field is required" in text(finance.post(page(line, "resolve"), no_reason))
    assert sums() == {}


def test_a_loss_is_booked_by_the_lead_alone(log_in, line):
    sent = {"resolution": "written_off", "note": "Nobody asks for it"}
    clerk = log_in("finance")
    assert "Book the difference" not in text(clerk.get(page(line, "resolve")))
    assert clerk.post(page(line, "resolve"), sent).status_code == 200
    assert sums() == {}
    assert log_in("finance lead", "gil").post(page(line, "resolve"), sent).status_code == 302
    assert sums() == {"clearing:stripe USD": -7 * USD, "platform_loss USD": 7 * USD}


def test_clearing_is_shown_by_month_and_leads_to_its_postings(
    finance, alice, django_assert_max_num_queries
):
    pay(alice, minor=1_234)
    pay(alice, processor="alipay", minor=7_000)
    url = reverse("admin:billing_clearing")
    assert url in text(finance.get(listing(StatementRow).replace("row", "import")))
    with django_assert_max_num_queries(16):
        shown = text(finance.get(url, {"month": "2026-11"}))
    assert "USD 12.34" in shown
    assert "CNY 70.00" in shown
    only = text(finance.get(url, {"month": "2026-11", "processor": "alipay"}))
    assert "USD 12.34" not in only
    assert "zero" in text(finance.get(url, {"month": "2026-10"}))
    there = reverse("admin:billing_clearing_postings", args=["stripe", "USD", "2026-11"])
    assert there in shown
    posting = LedgerTransaction.objects.get(entries__account__kind="clearing:stripe")
    postings = text(finance.get(there, {"kind": "top_up"}))
    assert reverse("admin:billing_ledgertransaction_change", args=[posting.pk]) in postings
    assert "Nothing moved" in text(finance.get(there, {"kind": "fees"}))
    for wrong in ("2026-13", "x"):
        assert "Enter a valid value" in text(finance.get(url, {"month": wrong}))
        assert finance.get(there.replace("2026-11", wrong)).status_code == 404


def test_clearing_is_a_file_too(finance, alice):
    pay(alice, minor=1_234)
    url = reverse("admin:billing_clearing")
    answer = finance.get(url, {"month": "2026-11", "format": "csv"})
    assert answer["Content-Type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(text(answer))))
    assert [(one["kind"], one["held"]) for one in lines] == [
        ("opening", "0"), ("top_up", "12.34"), ("closing", "12.34"),
    ]  # fmt: skip
    there = reverse("admin:billing_clearing_postings", args=["stripe", "USD", "2026-11"])
    (line,) = csv.DictReader(io.StringIO(text(finance.get(there, {"format": "csv"}))))
    assert (line["kind"], line["held"]) == ("top_up", "12.34")


ADD = "admin:billing_staffcredit_add"


def wish(account, amount, **changed) -> dict:
    return {
        "account": str(account.public_id), "amount": amount, "reason": "An outage",
        "form_id": str(uuid.UUID(int=1)),
    } | changed  # fmt: skip


def test_credit_is_given_once_for_each_form(finance, alice):
    shown = text(finance.get(reverse(ADD), {"account": str(alice.public_id)}))
    assert "$100.00" in shown
    assert str(alice.public_id) in shown
    for _ in range(2):
        assert finance.post(reverse(ADD), wish(alice, "5.00")).status_code == 302
    assert Wallet.objects.get(pk=alice.pk).credit_nusd == 5 * USD
    given = StaffCredit.objects.get()
    assert (given.state, given.reason) == ("given", "An outage")
    assert page(given, "decide") not in text(finance.get(page(given)))


def test_above_the_limit_a_second_person_agrees_once(log_in, alice):
    log_in("finance").post(reverse(ADD), wish(alice, "500"))
    waits = StaffCredit.objects.get()
    url, sent = page(waits, "decide"), {"decision": "give", "note": "Agreed by phone"}
    own = log_in("finance")
    assert "a second person must agree" in text(own.post(url, sent))
    other = log_in("finance", "gil")
    assert "An outage" in text(other.get(url))
    assert other.post(url, sent).status_code == 302
    assert "It was decided before" in text(other.post(url, sent))
    assert Wallet.objects.get(pk=alice.pk).credit_nusd == 500 * USD
    waits.refresh_from_db()
    assert waits.asked_by != waits.decided_by


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"amount": "0"}, "It must give something"),
        ({"amount": "x"}, "such as 5.00"),
        ({"amount": "1000.01"}, "no more than"),
        ({"account": str(uuid.UUID(int=9))}, "There is no such account"),
        ({"account": "alice"}, "public number"),
        ({"reason": ""}, "This field is required"),
    ],
)
def test_what_cannot_be_given_is_said_and_gives_nothing(finance, alice, changed, said):
    assert said in text(finance.post(reverse(ADD), wish(alice, "5") | changed))
    assert not StaffCredit.objects.exists()


def test_each_role_may_do_its_own_and_no_more(log_in, alice, asked, line):
    waits = StaffCredit.objects.create(
        account=alice, amount_nusd=USD, reason="r", form_id=uuid.uuid4(), needs_second=True,
        asked_by="staff:0", asked_at=NOW,
    )  # fmt: skip
    pages = [reverse(ADD), page(asked, "answer"), page(line, "resolve"), page(waits, "decide")]
    clearing = reverse("admin:billing_clearing")
    for role, seen in (
        ("support", [200, 403, 403, 403, 403]),
        ("finance", [200] * 5),
        ("finance lead", [200] * 5),
        ("operations", [403] * 5),
    ):
        client = log_in(role)
        assert [client.get(url).status_code for url in [*pages, clearing]] == seen, role
        sent = [client.post(url, {}).status_code for url in pages]
        assert sent == seen[:4], role
    client = log_in("support")
    assert "$20.00" in text(client.get(reverse(ADD)))
    for url in (page(asked), page(line)):
        assert client.get(url).status_code == 403


def test_what_waits_comes_first(finance, alice, asked, line):
    old = StatementRow.objects.create(
        processor="stripe", row_ref="old", day=NOW.date() + dt.timedelta(1), kind="payment",
        amount_minor=1, currency="USD", verdict="missing_local", resolved_at=NOW,
        resolution="explained",
    )  # fmt: skip
    shown = text(finance.get(listing(StatementRow)))
    assert shown.index(page(line)) < shown.index(page(old))
    assert finance.get(listing(FapiaoRequest), {"q": "香蕉"}).status_code == 200
    assert finance.get(listing(StaffCredit), {"q": "alice"}).status_code == 200
