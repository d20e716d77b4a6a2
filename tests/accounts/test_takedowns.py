"""Decisions about abuse: carried out, told, open to objection, lifted; made once."""

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import contact, keys, takedowns
from accounts.models import Change, Takedown
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
NOW = timezone.now()


@pytest.fixture
def report():
    return contact.open_request(
        kind="abuse", source="form", email="eve@example.com", subject="Spam",
        text="It sends spam.", now=NOW,
    )  # fmt: skip


@pytest.fixture
def staff():
    return factories.user("staff", is_staff=True)


@pytest.fixture
def key(account, alice):
    return keys.mint(account=account, created_by=alice, name="laptop")[0]


def decide(report, staff, decision, *, account=None, key=None, reason="Spam in three requests."):
    target = takedowns.Target(account=account, api_key=key)
    return takedowns.decide(
        report, decision=decision, target=target, reason=reason, by=staff, now=NOW
    )


def test_a_paused_key_stays_paused_until_staff_lift_it(report, staff, account, key):
    made = decide(report, staff, "pause_key", account=account, key=key)
    key.refresh_from_db()
    assert key.paused_at is not None
    with pytest.raises(keys.KeyHeld):
        keys.set_paused(key, is_paused=False)
    assert Change.objects.filter(topic=Change.Topic.KEY, ref=str(key.pk)).exists()
    takedowns.lift(made, by=staff, reason="It was not them.", now=NOW)
    key.refresh_from_db()
    assert key.paused_at is None


def test_a_suspended_account_is_refused_until_staff_lift_it(report, staff, account):
    made = decide(report, staff, "suspend", account=account)
    account.refresh_from_db()
    assert not account.is_active
    assert Change.objects.filter(topic=Change.Topic.ACCOUNT, ref=str(account.pk)).exists()
    takedowns.lift(made, by=staff, reason="Settled.", now=NOW)
    account.refresh_from_db()
    assert account.is_active


@pytest.mark.parametrize("decision", ["suspend", "pause_key"])
def test_what_two_decisions_hold_one_lifting_does_not_free(report, staff, account, key, decision):
    target = {"account": account, "key": key if decision == "pause_key" else None}
    first = decide(report, staff, decision, **target)
    other = contact.open_request(
        kind="abuse", source="mail", email="eve@example.com", subject="Again", text="?", now=NOW
    )
    second = decide(other, staff, decision, **target)
    for made, is_free in ((first, False), (second, True)):
        takedowns.lift(made, by=staff, reason="Settled.", now=NOW)
        account.refresh_from_db()
        key.refresh_from_db()
        assert (account.is_active and key.paused_at is None) == is_free


@pytest.mark.clause("3.3-legal")
def test_the_account_is_told_why_and_may_object(report, staff, account):
    made = decide(report, staff, "warn", account=account)
    told = [message for message in mail.outbox if message.to == ["alice@example.com"]]
    assert len(told) == 1
    assert "Spam in three requests." in told[0].body
    assert "eve@example.com" not in told[0].body
    assert made.appeal.state == "answered"
    contact.add_message(made.appeal, text="It was a test.", now=NOW)
    made.appeal.refresh_from_db()
    assert made.appeal.state == "open"
    assert (made.appeal.due_at - NOW).days == contact.DUE["question"]
    takedowns.lift(made, by=staff, reason="You are right.", now=NOW)
    assert "Our decision is lifted." in mail.outbox[-1].body


def test_nothing_to_do_closes_the_report_and_tells_nobody_else(report, staff):
    decide(report, staff, "none", reason="Not of this service.")
    report.refresh_from_db()
    assert report.state == "closed"
    assert mail.outbox == []


def test_a_report_is_decided_once(report, staff, account):
    made = decide(report, staff, "warn", account=account)
    with pytest.raises(takedowns.AlreadyDecided):
        decide(report, staff, "suspend", account=account)
    account.refresh_from_db()
    assert account.is_active
    takedowns.lift(made, by=staff, reason="Enough.", now=NOW)
    with pytest.raises(takedowns.NotInForce):
        takedowns.lift(made, by=staff, reason="Enough.", now=NOW)


@pytest.mark.parametrize("decision", ["warn", "pause_key", "suspend"])
def test_a_decision_needs_its_target(report, staff, decision):
    with pytest.raises(takedowns.NoTarget):
        decide(report, staff, decision)
    report.refresh_from_db()
    assert report.state == "open"
    assert not Takedown.objects.exists()


def test_a_key_of_another_account_is_no_target(report, staff, key):
    other = factories.account_of(factories.user("mallory"))
    with pytest.raises(takedowns.NoTarget):
        decide(report, staff, "pause_key", account=other, key=key)
    key.refresh_from_db()
    assert key.paused_at is None


def test_the_database_wants_to_know_why_it_was_lifted(report, staff, account):
    made = decide(report, staff, "warn", account=account)
    with pytest.raises(IntegrityError, match="takedown_lifted_with"), transaction.atomic():
        Takedown.objects.filter(pk=made.pk).update(lifted_at=NOW)


def test_reports_and_decisions_are_counted_by_year(report, staff, account):
    decide(report, staff, "warn", account=account)
    contact.open_request(
        kind="abuse", source="form", email="a@example.com", subject="?", text="?", now=NOW
    )
    (year,) = takedowns.years()
    assert (year.year, year.received, year.warned, year.suspended) == (NOW.year, 2, 1, 0)
