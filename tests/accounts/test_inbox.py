"""The inbox: its own notices, newest first, read one by one or all at once."""

import datetime as dt
import uuid

import pytest
from django.utils import timezone

from accounts import inbox, notifications, owners
from accounts.models import Notification
from accounts.notifications import Notice

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)


def tell(user, *keys: str) -> None:
    for key in keys:
        notice = Notice(kind="low_balance", key=key, name="low_balance")
        notifications.tell(user=user, notice=notice, now=NOW)


def keys(found: inbox.Found) -> list[str]:
    return [row.key for row in found.rows]


def test_pages_follow_each_other_without_a_gap(alice):
    tell(alice, *(f"k{number}" for number in range(5)))
    first = inbox.find(alice, rows_max=2)
    assert keys(first) == ["k4", "k3"]
    tell(alice, "new")  # what comes in between moves nothing
    second = inbox.find(alice, before=first.older, rows_max=2)
    assert keys(second) == ["k2", "k1"]
    third = inbox.find(alice, before=second.older, rows_max=2)
    assert (keys(third), third.older) == (["k0"], None)
    assert inbox.find(alice, before=uuid.uuid4()).rows == []


def test_nobody_reads_anothers_notices(alice):
    bob = owners.register(email="bob@example.com")
    tell(alice, "hers")
    notice = Notification.objects.get()
    assert inbox.find(bob).rows == []
    assert inbox.read(bob, public_id=notice.public_id, now=NOW) is None
    assert inbox.find(bob, before=notice.public_id).rows == []
    assert inbox.read_all(bob, now=NOW) == 0
    notice.refresh_from_db()
    assert notice.read_at is None


def unread(user):
    return sum(row["count"] for row in inbox.unread(user))


def test_what_was_read_is_counted_no_more(alice):
    tell(alice, "a", "b", "c")
    assert unread(alice) == 3
    first = Notification.objects.get(key="a")
    assert inbox.read(alice, public_id=first.public_id, now=NOW) == first
    inbox.read(alice, public_id=first.public_id, now=timezone.now())
    first.refresh_from_db()
    assert first.read_at == NOW
    assert unread(alice) == 2
    assert inbox.read_all(alice, now=NOW) == 2
    assert unread(alice) == 0


def test_what_goes_by_mail_only_is_not_in_it(alice):
    notifications.choose(alice, {"low_balance": ["email"]})
    tell(alice, "a")
    assert unread(alice) == 0
    assert inbox.find(alice).rows == []
