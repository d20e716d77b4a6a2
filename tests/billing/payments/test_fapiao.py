"""Fapiao: asked for once, answered by staff, red-letter when money goes back."""

import datetime as dt

import pytest
from django.core import mail

from billing.models import FapiaoRequest, Order, Refund
from billing.payments import fapiao
from tests.billing.payments.conftest import NOW, refunded

LATER = NOW + dt.timedelta(hours=1)
COMPANY = "91310000MA1FL00000"


@pytest.fixture
def order(alice, pay):
    return pay(alice, processor="alipay", minor=10_000)


@pytest.fixture
def staff(django_capture_on_commit_callbacks):
    """Return `staff(operation, ...)`: what staff do, its mails sent."""

    def act(operation, *arguments, now=NOW):
        with django_capture_on_commit_callbacks(execute=True):
            return operation(*arguments, actor="staff:1", now=now)

    return act


def paper(number, **changed) -> fapiao.Paper:
    return fapiao.Paper(**{"number": number, "issued_on": NOW.date()} | changed)


def wanted(**changed) -> fapiao.Wanted:
    values = {"title": " 香蕉 公司 ", "email": "tax@example.com", "tax_number": COMPANY.lower()}
    return fapiao.Wanted(**values | changed)


def state() -> str:
    return FapiaoRequest.objects.get().state


def test_a_payer_asks_and_staff_issue(order, staff):
    request = fapiao.ask(order, wanted(), now=NOW)
    assert (request.title, request.tax_number) == ("香蕉 公司", COMPANY)
    done = staff(fapiao.issue, request, paper("25317000001234567890"))
    assert (done.state, done.fapiao_number) == ("issued", "25317000001234567890")
    (sent,) = mail.outbox
    assert sent.to == ["tax@example.com"]
    assert "25317000001234567890" in sent.body
    assert "发票已开具" in sent.body


def test_a_second_request_waits_for_the_end_of_the_first(order, staff):
    request = fapiao.ask(order, wanted(), now=NOW)
    with pytest.raises(fapiao.WrongState):
        fapiao.ask(order, wanted(title="Other"), now=NOW)
    assert FapiaoRequest.objects.get().title == "香蕉 公司"
    staff(fapiao.refuse, request, "The tax number is not known.")
    assert "The tax number is not known." in mail.outbox[0].body
    again = fapiao.ask(order, wanted(title="Other"), now=NOW)
    assert (again.state, again.title, again.note) == ("asked", "Other", "")
    assert fapiao.withdraw(again, now=NOW).state == "withdrawn"
    assert fapiao.ask(order, wanted(), now=NOW).state == "asked"
    assert FapiaoRequest.objects.count() == 1


def test_steps_out_of_order_are_refused_and_change_nothing(order, staff):
    request = fapiao.ask(order, wanted(), now=NOW)
    with pytest.raises(fapiao.WrongState):
        fapiao.issue_red(request, paper("12345678"), actor="staff:1", now=NOW)
    fapiao.withdraw(request, now=NOW)
    for operation, argument in ((fapiao.issue, paper("12345678")), (fapiao.refuse, "no")):
        with pytest.raises(fapiao.WrongState):
            staff(operation, request, argument)
    with pytest.raises(fapiao.WrongState):
        fapiao.withdraw(request, now=NOW)
    assert state() == "withdrawn"
    assert mail.outbox == []


def test_a_refund_asks_for_a_red_letter_by_itself_and_once(order, staff):
    request = staff(fapiao.issue, fapiao.ask(order, wanted(), now=NOW), paper("12345678"))
    assert fapiao.ask_red(now=LATER) == 0
    refunded(order, minor=4_000, now=LATER)
    Order.objects.update(refunded_minor=4_000, state="part_refunded")
    assert fapiao.ask_red(now=LATER) == 1
    assert fapiao.ask_red(now=LATER) == 0
    red = staff(fapiao.issue_red, request, paper("87654321"), now=LATER + dt.timedelta(hours=1))
    assert (red.state, red.red_number) == ("red_issued", "87654321")
    assert "87654321" in mail.outbox[-1].body
    # A new one for what is left; the old refund is no reason to take it back.
    order.refresh_from_db()
    assert fapiao.amount_minor(order) == 6_000
    again = fapiao.ask(order, wanted(), now=LATER + dt.timedelta(hours=2))
    staff(fapiao.issue, again, paper("11112222"), now=LATER + dt.timedelta(hours=3))
    assert fapiao.ask_red(now=LATER + dt.timedelta(hours=4)) == 0
    assert state() == "issued"


def test_a_refund_that_failed_asks_for_nothing(order, staff):
    staff(fapiao.issue, fapiao.ask(order, wanted(), now=NOW), paper("12345678"))
    refunded(order, minor=4_000, now=LATER)
    Refund.objects.update(state="failed")
    assert fapiao.ask_red(now=LATER) == 0
    assert state() == "issued"


def test_nothing_is_issued_for_what_was_refunded(order, staff):
    request = fapiao.ask(order, wanted(), now=NOW)
    Order.objects.update(refunded_minor=10_000, state="refunded")
    with pytest.raises(fapiao.NotPossible):
        staff(fapiao.issue, request, paper("12345678"))
    fapiao.ask_red(now=LATER)
    assert state() == "withdrawn"


def test_orders_without_yuan_or_payment_have_none(alice, start, pay):
    for order, code in (
        (pay(alice), "currency"),
        (start(alice, processor="wechatpay", minor=10_000), "not_paid"),
    ):
        with pytest.raises(fapiao.NotPossible) as refused:
            fapiao.ask(order, wanted(), now=NOW)
        assert refused.value.code == code
    assert not FapiaoRequest.objects.exists()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"tax_number": "123"}, "tax_number"),
        ({"tax_number": "9131000-MA1FL00000"}, "tax_number"),
        ({"email": "nobody"}, "email"),
    ],
)
def test_what_cannot_be_is_said_by_its_field(order, changed, field):
    with pytest.raises(fapiao.BadField) as refused:
        fapiao.ask(order, wanted(**changed), now=NOW)
    assert refused.value.field == field
    assert not FapiaoRequest.objects.exists()


@pytest.mark.parametrize("number", ["", "1234567", "x" * 10, "1" * 21])
def test_a_number_that_is_none_is_refused(order, staff, number):
    request = fapiao.ask(order, wanted(), now=NOW)
    with pytest.raises(fapiao.BadField):
        staff(fapiao.issue, request, paper(number))
    with pytest.raises(fapiao.BadField):
        staff(fapiao.refuse, request, "")
    assert state() == "asked"
