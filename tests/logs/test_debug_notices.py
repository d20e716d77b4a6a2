"""What is told of debug mode: switched on, and read by staff; once, to whom it concerns."""

import datetime as dt

import pytest
from django.utils import timezone

from accounts import keys, notifications
from accounts.models import Delivery, Notification
from accounts.timeids import uuid7
from logs import debug, debug_notices, debug_reader, tasks
from logs.models import DebugView
from tests import factories, mailbox

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("debug_folder"),
    pytest.mark.clause("2-notify-security"),
]


def told() -> set[tuple[str, str]]:
    return set(Notification.objects.values_list("user__username", "name"))


def sweep() -> int:
    return debug_notices.sweep(now=timezone.now())


@pytest.fixture
def session(key):
    return factories.debug_session(key)


def read(session, staff) -> None:
    request_id = uuid7()
    factories.capture(session, request_id, request=b"what is said", response=b"what is heard")
    debug_reader.read_as_staff(
        request_id, session_id=session.pk, staff=staff, now=timezone.now()
    )  # fmt: skip


def test_that_it_was_switched_on_is_told_once_with_who_and_until_when(session, alice):
    assert tasks.tell_debug() == 1
    assert tasks.tell_debug() == 0
    assert told() == {("alice", "debug_on")}
    assert mailbox.subjects("alice@example.com") == ["Debug mode was switched on for an API key"]
    facts = Notification.objects.get().facts
    assert facts["by"] == alice.get_full_name()
    assert facts["until"] == f"{session.until:%Y-%m-%d %H:%M}"
    assert Notification.objects.get().is_on_site
    assert Notification.objects.get().path == f"/keys/{session.api_key_id}/debug"


def test_the_accounts_owner_hears_that_a_member_switched_it_on(alice):
    bob = factories.user("bob")
    account = factories.account_of(alice)
    factories.join(bob, account)
    factories.join(factories.user("carol"), account, "billing")
    made, _ = keys.mint(account=account, created_by=bob, name="bob's laptop")
    session = factories.debug_session(made)
    debug.stop(session, now=timezone.now())  # what was short is told all the same
    assert sweep() == 2
    assert told() == {("alice", "debug_on"), ("bob", "debug_on")}
    assert all(row.facts["by"] == bob.get_full_name() for row in Notification.objects.all())


def test_the_first_reading_of_each_of_the_staff_is_told_to_the_owner_alone(session, alice, key):
    factories.join(factories.user("bob"), key.account, "admin")
    sweep()
    Notification.objects.all().delete()
    eve, fay = (factories.user(name, is_staff=True) for name in ("eve", "fay"))
    debug.grant(session, user=alice, minutes=30, now=timezone.now())
    read(session, eve)
    assert sweep() == 1
    read(session, eve)
    assert sweep() == 0
    read(session, fay)
    assert sweep() == 1
    assert told() == {("alice", "debug_read")}
    assert {row.facts["by"] for row in Notification.objects.all()} == {
        eve.get_full_name(), fay.get_full_name(),
    }  # fmt: skip
    assert set(mailbox.subjects("alice@example.com")) >= {
        "Our staff read a request that debug mode kept"
    }
    assert not DebugView.objects.filter(is_told=False).exists()
    # A new permission is a new event.
    debug.grant(session, user=alice, minutes=30, now=timezone.now())
    read(session, eve)
    assert sweep() == 1


def test_it_goes_the_ways_that_its_reader_chose(session, alice):
    notifications.choose(alice, {"security": []})
    sweep()
    # Mail stays on: who takes over an account would switch it off first.
    assert list(Delivery.objects.values_list("way", flat=True)) == ["email"]
    assert not Notification.objects.get().is_on_site


def test_no_word_of_the_content_is_in_a_notice(session, alice):
    debug.grant(session, user=alice, minutes=30, now=timezone.now())
    read(session, factories.user("eve", is_staff=True))
    sweep()
    mailbox.deliver()
    for row in Notification.objects.values():
        assert "what is" not in repr(row)


def test_two_sweeps_at_once_tell_it_once(session):
    seen = debug_notices.DebugSession.objects.select_related("api_key__account", "user").get()
    now = dt.datetime.now(dt.UTC)
    assert debug_notices._tell_begun(seen, now=now) == 1
    assert debug_notices._tell_begun(seen, now=now) == 0
