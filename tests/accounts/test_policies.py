"""Versions of legal documents: told to everybody first, in force in time, agreed to."""

import datetime as dt

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from accounts import announcements, consents, notifications, policies
from accounts.models import (
    Consent,
    Delivery,
    Notification,
    NotificationPreference,
    PolicyVersion,
    User,
)
from accounts.policies import Text
from tests import factories

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def publish(version="1", *, now=NOW, **fields):
    text = {
        "document": "privacy", "version": version, "sha256": "a" * 64, "summary": "First.",
        "is_material": True, "effective_at": NOW, **fields,
    }  # fmt: skip
    return policies.publish(Text(**text), now=now)


def test_a_version_is_published_once():
    first = publish()
    assert publish().pk == first.pk
    assert (first.published_at, first.effective_at, first.sha256) == (NOW, NOW, "a" * 64)
    assert policies.history("privacy") == [first]


@pytest.mark.clause("7-updates")
def test_a_published_text_cannot_change():
    publish()
    with pytest.raises(policies.VersionChanged):
        publish(sha256="b" * 64)
    assert policies.history("privacy")[0].sha256 == "a" * 64


def test_versions_of_a_new_installation_hold_from_their_day():
    assert policies.current("privacy", NOW) is None
    first = publish()
    second = publish("2", effective_at=NOW + DAY)
    assert policies.current("privacy", NOW - DAY) is None
    assert policies.current("privacy", NOW) == first
    assert policies.current("privacy", NOW + DAY) == second
    assert policies.history("privacy") == [second, first]


def test_documents_do_not_mix():
    publish()
    assert policies.current("terms", NOW) is None
    assert publish(document="terms", sha256="b" * 64).version == "1"


@pytest.mark.clause("7-updates")
def test_a_material_change_waits_until_everybody_was_told_and_had_time(settings):
    settings.POLICY_NOTICE_DAYS = 14
    alice, bob = factories.user("alice"), factories.user("bob")
    first = publish()
    later = NOW + 30 * DAY
    second = publish("2", now=later, summary="Longer.", effective_at=later)
    assert second.effective_at == later + 14 * DAY
    # Its day comes, and nobody was told: the old one goes on.
    assert policies.current("privacy", later + 60 * DAY) == first
    assert policies.in_force(later + 60 * DAY) == {"privacy": "1"}
    assert not policies.holds(second, later + 60 * DAY)
    assert policies.coming("privacy", later + 60 * DAY) == [second]
    told_at = later + 60 * DAY
    assert announcements.announce_due(now=told_at) == 2
    for user in (alice, bob):
        notice = Notification.objects.get(user=user)
        assert (notice.kind, notice.facts["summary"]) == ("policy_change", "Longer.")
        assert notice.path == "/privacy/2"
        assert set(notice.deliveries.values_list("way", flat=True)) == {"email", "web"}
    assert policies.current("privacy", told_at + 14 * DAY - DAY / 24) == first
    assert policies.current("privacy", told_at + 14 * DAY) == second
    assert policies.in_force(told_at + 14 * DAY) == {"privacy": "2"}
    second.refresh_from_db()
    assert policies.holds(second, told_at + 14 * DAY)
    assert policies.coming("privacy", told_at + 14 * DAY) == []


def test_nobody_is_told_twice_and_who_comes_later_is_told(settings):
    publish()
    factories.user("alice")
    publish("2", now=NOW + DAY)
    assert announcements.announce_due(now=NOW + DAY) == 1
    assert announcements.announce_due(now=NOW + DAY) == 0
    factories.user("bob")
    assert announcements.announce_due(now=NOW + 2 * DAY) == 1
    assert Notification.objects.count() == 2


def test_many_are_told_in_a_constant_number_of_queries(monkeypatch):
    publish()
    version = publish("2", now=NOW + DAY)
    assert announcements.announce_due(now=NOW + DAY) == 0  # announced: to those who come later
    counts = []
    for people in (2, 12):
        made = [factories.user(f"user{people}n{n}") for n in range(people)]
        NotificationPreference.objects.create(user=made[0], kind="policy_change", by_email=False)
        with CaptureQueriesContext(connection) as queries:
            assert announcements.announce_due(now=NOW + DAY) == people
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[1] <= 18, "one batch, and the look that finds no more"
    assert Notification.objects.filter(name="policy_changed").count() == 14
    assert Delivery.objects.filter(way="email").count() == 14, "the mail stays on"
    version.refresh_from_db()
    assert version.announced_at == NOW + DAY
    monkeypatch.setattr(announcements, "USERS_MAX", 5)
    for n in range(11):
        factories.user(f"later{n}")
    assert announcements.announce_due(now=NOW + DAY) == 11
    told = Notification.objects.values_list("user_id", flat=True)
    assert len(set(told)) == len(told) == 25


def test_whoever_was_told_one_by_one_is_not_told_again():
    alice, _ = factories.user("alice"), factories.user("bob")
    publish()
    notice = announcements.notice_of(publish("2", now=NOW + DAY))
    assert notifications.tell(user=alice, notice=notice, now=NOW)
    assert announcements.announce_due(now=NOW + DAY) == 1
    assert Notification.objects.filter(user=alice).count() == 1


@pytest.mark.sqlite
def test_a_telling_that_breaks_off_goes_on(monkeypatch):
    monkeypatch.setattr(announcements, "USERS_MAX", 1)
    people = [factories.user(name) for name in ("alice", "bob", "carol")]
    publish()
    version = publish("2", now=NOW + DAY)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON accounts_notification "
            f"WHEN NEW.user_id = {people[1].pk} BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    with pytest.raises(IntegrityError):
        announcements.announce_due(now=NOW + DAY)
    version.refresh_from_db()
    assert (version.told_up_to, version.announced_at) == (people[0].pk, None)
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER full_disk")
    assert announcements.announce_due(now=NOW + DAY) == 2
    assert Notification.objects.count() == 3


def test_a_change_of_form_holds_from_its_day_and_is_told_all_the_same():
    factories.user("alice")
    publish()
    second = publish("2", now=NOW + DAY, is_material=False)
    assert policies.current("privacy", NOW + DAY) == second
    assert announcements.announce_due(now=NOW + DAY) == 1


def test_a_locked_out_user_is_not_written_to():
    User.objects.filter(pk=factories.user("alice").pk).update(is_active=False)
    publish()
    publish("2", now=NOW + DAY)
    assert announcements.announce_due(now=NOW + DAY) == 0


@pytest.mark.clause("7-updates")
def test_a_user_agrees_to_what_is_new_and_to_nothing_else():
    alice = factories.user("alice")
    publish()
    publish(document="terms")
    consents.accept_policies(user=alice, now=NOW)
    assert consents.unheard(user=alice, now=NOW) == []
    second = publish("2", now=NOW + DAY)
    assert consents.unheard(user=alice, now=NOW + DAY) == [second]
    consents.agree(user=alice, versions=[second], now=NOW + DAY)
    assert consents.unheard(user=alice, now=NOW + DAY) == []
    latest = consents.latest(user=alice, purpose=Consent.Purpose.PRIVACY)
    assert (latest.version, latest.created_at) == (second, NOW + DAY)


def test_who_never_agreed_is_asked_nothing():
    publish()
    assert consents.unheard(user=factories.user("robot"), now=NOW) == []


def test_a_document_is_one_of_three():
    assert set(PolicyVersion.Document.values) == {"privacy", "terms", "acceptable_use"}
