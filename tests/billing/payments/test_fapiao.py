"""Fapiao: asked for once, answered by staff, red-letter when money goes back."""

import datetime as dt

import pytest
from django.core import mail
from django.db import transaction

from accounts import deliveries, erasure, notifications, personal_data
from accounts.models import Delivery, Notification, User
from billing import subjects
from billing.models import FapiaoRequest, Order, Refund
from billing.payments import fapiao
from tests import factories, mailbox
from tests.billing.payments.conftest import NOW, refunded

LATER = NOW + dt.timedelta(hours=1)
COMPANY = "91310000MA1FL00000"


@pytest.fixture
def order(alice, pay):
    return pay(alice, processor="alipay", minor=10_000)


@pytest.fixture
def staff(books):
    """Return `staff(operation, ...)`: what staff do, its mails sent."""

    def act(operation, *arguments, now=NOW):
        done = operation(*arguments, actor="staff:1", now=now)
        mailbox.deliver()
        return done

    return act


def asker() -> User:
    return User.objects.get(username="alice")


def paper(number, **changed) -> fapiao.Paper:
    return fapiao.Paper(**{"number": number, "issued_on": NOW.date()} | changed)


def wanted(**changed) -> fapiao.Wanted:
    values = {"title": " 香蕉 公司 ", "email": "tax@example.com", "tax_number": COMPANY.lower()}
    return fapiao.Wanted(**values | changed)


def state() -> str:
    return FapiaoRequest.objects.get().state


def test_a_payer_asks_and_staff_issue(order, staff):
    request = fapiao.ask(order, wanted(), by=asker(), now=NOW)
    assert (request.title, request.tax_number) == ("香蕉 公司", COMPANY)
    done = staff(fapiao.issue, request, paper("25317000001234567890"))
    assert (done.state, done.fapiao_number) == ("issued", "25317000001234567890")
    (sent,) = mail.outbox
    assert sent.to == ["tax@example.com"]
    assert sent.subject == "Your fapiao was issued"
    assert "25317000001234567890" in sent.body
    assert f"/billing/orders/{order.number}/fapiao" in sent.body
    told = Notification.objects.get()
    assert (told.user, told.account, told.kind) == (asker(), order.account, "fapiao")
    assert not Delivery.objects.exclude(address="").exists()


def test_a_mail_that_is_sent_again_goes_where_the_request_names(order, staff):
    first = fapiao.ask(order, wanted(email="books@example.com"), by=asker(), now=NOW)
    fapiao.refuse(first, "No.", actor="staff:1", now=NOW)
    mailbox.deliver()
    delivery = Delivery.objects.get(way="email")
    assert deliveries.send_again(delivery, now=NOW)
    mailbox.deliver()
    # Whoever typed a wrong address asks again with the right one.
    fapiao.ask(order, wanted(email="tax@example.com"), by=asker(), now=NOW)
    assert deliveries.send_again(delivery, now=NOW)
    mailbox.deliver()
    told = [to for message in mail.outbox for to in message.to]
    assert told == ["books@example.com", "books@example.com", "tax@example.com"]
    assert not Delivery.objects.exclude(address="").exists()


def test_other_notices_that_are_sent_again_go_to_their_readers(order):
    notice = notifications.Notice(
        kind="low_balance", key=f"other:{order.number}", name="low_balance",
        facts={"account": "A"},
    )  # fmt: skip
    fapiao.ask(order, wanted(email="books@example.com"), by=asker(), now=NOW)
    notifications.tell(user=asker(), notice=notice, now=NOW)
    mailbox.deliver()
    assert deliveries.send_again(Delivery.objects.get(way="email"), now=NOW)
    mailbox.deliver()
    assert [message.to for message in mail.outbox] == [[asker().email]] * 2


def test_the_mail_speaks_the_language_of_who_asked(order, staff):
    User.objects.update(language="zh-hans")
    request = fapiao.ask(order, wanted(), by=asker(), now=NOW)
    staff(fapiao.refuse, request, "抬头与税号不符。")
    (sent,) = mail.outbox
    assert sent.subject == "你的发票未能开具"
    assert "抬头与税号不符。" in sent.body


def test_the_mail_comes_however_little_somebody_wants_to_hear(order, staff):
    notifications.choose(asker(), {})
    staff(fapiao.issue, fapiao.ask(order, wanted(), by=asker(), now=NOW), paper("12345678"))
    assert [sent.to for sent in mail.outbox] == [["tax@example.com"]]
    assert not Notification.objects.get().is_on_site


def test_a_long_reason_is_cut_in_the_mail_and_whole_on_the_page(order, staff):
    note = "x" * 150 + "y" * 250
    request = fapiao.ask(order, wanted(), by=asker(), now=NOW)
    done = staff(fapiao.refuse, request, note)
    said = f"The reason: {note[:199]}…"
    assert said in mail.outbox[0].body
    assert note[:200] not in mail.outbox[0].body
    assert done.note == note


def test_who_is_told_where_the_asker_is_gone(order, staff):
    bob = factories.user("bob")
    factories.join(bob, order.account, role="billing")
    request = fapiao.ask(order, wanted(), by=bob, now=NOW)
    assert request.asked_by == bob
    staff(fapiao.refuse, request, "First.")
    # A developer sees no money any more.
    order.account.memberships.filter(user=bob).update(role="developer")
    staff(fapiao.refuse, fapiao.ask(order, wanted(), by=bob, now=NOW), "Second.")
    bob.delete()
    request.refresh_from_db()
    assert request.asked_by is None
    order.account.memberships.all().delete()
    fapiao.ask(order, wanted(), by=asker(), now=NOW)
    staff(fapiao.refuse, request, "Third: nobody is left.")
    assert [sent.to for sent in mail.outbox] == [["tax@example.com"]] * 2
    told = Notification.objects.values_list("user__username", "facts__note")
    assert list(told) == [("alice", "Second.")], "what bob was told went with him"


def test_a_copy_of_data_holds_what_one_asked_for_and_an_erasure_leaves_others_rows(order):
    bob, request = factories.user("bob"), fapiao.ask(order, wanted(), by=asker(), now=NOW)
    factories.join(bob, order.account, role="billing")
    assert not subjects.fapiaos(personal_data.subject_of(bob)).exists()
    FapiaoRequest.objects.update(asked_by=bob)
    for person in (bob, asker()):
        assert list(subjects.fapiaos(personal_data.subject_of(person))) == [request]
    assert not subjects.fapiaos(erasure.leaver(bob, [])).exists()
    assert list(subjects.fapiaos(erasure.leaver(asker(), [order.account_id]))) == [request]


def test_nobody_is_told_of_what_did_not_happen(order, staff):
    request = staff(
        fapiao.issue, fapiao.ask(order, wanted(), by=asker(), now=NOW), paper("12345678")
    )
    with pytest.raises(fapiao.WrongState), transaction.atomic():
        fapiao.refuse(request, "Too late", actor="staff:1", now=NOW)
    mailbox.deliver()
    assert len(mail.outbox) == Notification.objects.count() == 1


def test_a_second_request_waits_for_the_end_of_the_first(order, staff):
    request = fapiao.ask(order, wanted(), by=asker(), now=NOW)
    with pytest.raises(fapiao.WrongState):
        fapiao.ask(order, wanted(title="Other"), by=asker(), now=NOW)
    assert FapiaoRequest.objects.get().title == "香蕉 公司"
    staff(fapiao.refuse, request, "The tax number is not known.")
    assert "The tax number is not known." in mail.outbox[0].body
    again = fapiao.ask(order, wanted(title="Other"), by=asker(), now=NOW)
    assert (again.state, again.title, again.note) == ("asked", "Other", "")
    assert fapiao.withdraw(again, now=NOW).state == "withdrawn"
    assert fapiao.ask(order, wanted(), by=asker(), now=NOW).state == "asked"
    assert FapiaoRequest.objects.count() == 1


def test_steps_out_of_order_are_refused_and_change_nothing(order, staff):
    request = fapiao.ask(order, wanted(), by=asker(), now=NOW)
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
    request = staff(
        fapiao.issue, fapiao.ask(order, wanted(), by=asker(), now=NOW), paper("12345678")
    )
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
    again = fapiao.ask(order, wanted(), by=asker(), now=LATER + dt.timedelta(hours=2))
    staff(fapiao.issue, again, paper("11112222"), now=LATER + dt.timedelta(hours=3))
    assert fapiao.ask_red(now=LATER + dt.timedelta(hours=4)) == 0
    assert state() == "issued"


def test_a_refund_that_failed_asks_for_nothing(order, staff):
    staff(fapiao.issue, fapiao.ask(order, wanted(), by=asker(), now=NOW), paper("12345678"))
    refunded(order, minor=4_000, now=LATER)
    Refund.objects.update(state="failed")
    assert fapiao.ask_red(now=LATER) == 0
    assert state() == "issued"


def test_nothing_is_issued_for_what_was_refunded(order, staff):
    request = fapiao.ask(order, wanted(), by=asker(), now=NOW)
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
            fapiao.ask(order, wanted(), by=asker(), now=NOW)
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
        fapiao.ask(order, wanted(**changed), by=asker(), now=NOW)
    assert refused.value.field == field
    assert not FapiaoRequest.objects.exists()


@pytest.mark.parametrize("number", ["", "1234567", "x" * 10, "1" * 21])
def test_a_number_that_is_none_is_refused(order, staff, number):
    request = fapiao.ask(order, wanted(), by=asker(), now=NOW)
    with pytest.raises(fapiao.BadField):
        staff(fapiao.issue, request, paper(number))
    with pytest.raises(fapiao.BadField):
        staff(fapiao.refuse, request, "")
    assert state() == "asked"
