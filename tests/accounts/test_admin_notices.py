"""Staff's log of notices: what became of them, sent again, and never what they say."""

import datetime as dt

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts import notifications
from accounts.models import Delivery
from accounts.notifications import Notice
from tests import factories, mailbox

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)
LIST = "admin:accounts_delivery_changelist"


@pytest.fixture
def rows():
    alice = factories.user("alice")
    for name in ("Aardvark", "Badger"):
        notice = Notice(
            kind="low_balance", key=name, name="low_balance", facts={"account": f"{name} Labs"}
        )
        notifications.tell(user=alice, notice=notice, now=NOW)
    return Delivery.objects.order_by("pk")


def staff_of(*permissions: str) -> Client:
    user = factories.user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def test_the_log_tells_who_what_and_when_but_no_words(rows):
    staff = staff_of("view_delivery")
    page = staff.get(reverse(LIST)).content.decode()
    assert page.count("low_balance") >= 4
    one = staff.get(reverse("admin:accounts_delivery_change", args=[rows[0].pk]))
    assert "alice" in page
    assert "waiting" in page
    for shown in (page, one.content.decode()):
        assert "Aardvark Labs" not in shown
        assert "Your balance is low" not in shown


def test_it_is_searched_and_filtered(rows):
    staff = staff_of("view_delivery")

    def found(**query) -> int:
        return staff.get(reverse(LIST), query).context["cl"].queryset.count()

    assert found(q="alice") == 4
    assert found(q="Badger") == 2
    assert found(q="mallory") == 0
    assert found(way__exact="email") == 2
    assert found(state__exact="sent") == 2


def test_who_may_only_look_sends_nothing_again(rows):
    staff = staff_of("view_delivery")
    mailbox.deliver()
    again = {"action": "send_again", "_selected_action": [row.pk for row in rows]}
    staff.post(reverse(LIST), again)
    assert mailbox.deliver() == 0
    assert staff.post(reverse("admin:accounts_delivery_add"), {}).status_code == 403


def test_what_is_done_is_sent_again(rows):
    staff = staff_of("view_delivery", "change_delivery")
    mailbox.deliver()
    again = {"action": "send_again", "_selected_action": [row.pk for row in rows]}
    page = staff.post(reverse(LIST), again, follow=True).content.decode()
    assert "2 go out again" in page
    assert mailbox.deliver() == 2
    assert len(mail.outbox) == 4
