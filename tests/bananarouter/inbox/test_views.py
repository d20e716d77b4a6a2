"""The page of notices: what it shows, what it costs, and how notices are read."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import notifications
from accounts.models import Notification
from accounts.notifications import Notice
from tests import factories

pytestmark = pytest.mark.django_db
QUERIES_MAX = 12


@pytest.fixture
def alice():
    return factories.user("alice")


@pytest.fixture
def client(alice):
    found = Client()
    found.force_login(alice)
    return found


def tell(user, count: int = 1, path: str = "/billing") -> None:
    facts = {"account": "<b>Acme</b>", "available": "$1.00", "threshold": "$5.00"}
    for number in range(count):
        notice = Notice(
            kind="low_balance", key=f"{path}{number}", name="low_balance", facts=facts, path=path
        )
        notifications.tell(user=user, notice=notice, now=timezone.now())


def page_of(client, **query) -> str:
    return client.get(reverse("notifications"), query).content.decode()


def test_an_empty_inbox_says_what_will_be_here(client):
    page = page_of(client)
    assert "Nothing to tell you" in page
    assert "Mark all as read" not in page
    assert 'class="count"' not in page


def test_notices_are_shown_escaped_with_how_many_are_unread(client, alice):
    tell(alice, 3)
    page = page_of(client)
    assert "&lt;b&gt;Acme&lt;/b&gt;" in page
    assert "<b>Acme" not in page
    assert page.count('class="unread"') == 3
    assert '<span class="count">3' in page


def test_the_page_speaks_chinese(client, alice):
    tell(alice)
    page = client.get(reverse("notifications"), headers={"accept-language": "zh-hans"})
    assert "余额不足" in page.content.decode()


def test_the_page_and_the_bell_keep_to_their_queries(client, alice, django_assert_max_num_queries):
    tell(alice, 25)
    with django_assert_max_num_queries(QUERIES_MAX):
        client.get(reverse("notifications"))
    with django_assert_max_num_queries(QUERIES_MAX):
        client.get(reverse("settings"))


def test_older_pages_are_reached_and_nonsense_is_the_first_page(client, alice):
    tell(alice, 25)
    page = page_of(client)
    older = re.search(r"\?before=([0-9a-f-]{36})", page)[1]
    assert page.count("<h2>") == 20
    assert page_of(client, before=older).count("<h2>") == 5
    assert page_of(client, before="nonsense").count("<h2>") == 20


def test_a_notice_leads_on_and_is_read_then(client, alice):
    tell(alice)
    notice = Notification.objects.get()
    response = client.post(reverse("notification", args=[notice.public_id]))
    assert response["Location"] == "/billing"
    notice.refresh_from_db()
    assert notice.read_at is not None
    assert client.get(reverse("notification", args=[notice.public_id])).status_code == 405


def test_a_notice_leads_nowhere_outside(client, alice):
    tell(alice, path="//evil.example/")
    response = client.post(reverse("notification", args=[Notification.objects.get().public_id]))
    assert response["Location"] == reverse("notifications")


def test_a_strangers_notice_is_not_found(alice):
    tell(alice)
    mallory = Client()
    mallory.force_login(factories.user("mallory"))
    notice = Notification.objects.get()
    assert mallory.post(reverse("notification", args=[notice.public_id])).status_code == 404
    mallory.post(reverse("notifications_read"))
    notice.refresh_from_db()
    assert notice.read_at is None


def test_everything_is_marked_as_read_at_once(client, alice):
    tell(alice, 3)
    response = client.post(reverse("notifications_read"), follow=True)
    assert "Everything is marked as read." in response.content.decode()
    assert not Notification.objects.filter(read_at=None).exists()
