"""Users hear of changed terms on every page, agree on one, and are stopped only when it is time."""

import datetime as dt

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import announcements, consents, policies
from accounts.models import Consent, PolicyVersion
from bananarouter.pages.legal import documents
from tests import factories

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
BANNER = "Our terms or our privacy policy change."


@pytest.fixture
def alice():
    """Alice agreed to the first version; the second was published and announced after that."""
    user = factories.user("alice")
    then = timezone.now() - 30 * DAY
    document, latest = documents.Document.PRIVACY, documents.VERSIONS["privacy"]
    _publish(document, latest[-1], then)
    _publish(documents.Document.TERMS, documents.VERSIONS["terms"][-1], then)
    consents.accept_policies(user=user, now=then)
    return user


def _publish(document, version, now):
    text = policies.Text(
        document=document, version=version.number, sha256=version.sha256, summary="New.",
        is_material=True, effective_at=now,
    )  # fmt: skip
    return policies.publish(text, now=now)


@pytest.fixture
def change(alice):
    row = _publish("privacy", documents.VERSIONS["privacy"][0], timezone.now())
    announcements.announce_due(now=timezone.now())
    row.refresh_from_db()
    return row


@pytest.fixture
def client(alice):
    client = Client()
    client.force_login(alice)
    return client


def test_without_a_change_nothing_is_said_and_nothing_asked(client):
    client.get(reverse("settings"))
    assert BANNER not in client.get(reverse("settings")).content.decode()
    assert "Nothing to agree to" in client.get(reverse("agree")).content.decode()


@pytest.mark.clause("7-updates")
def test_a_change_is_on_every_page_until_the_user_agrees(client, alice, change):
    for name in ("overview", "settings", "keys"):
        assert BANNER in client.get(reverse(name)).content.decode(), name
    page = client.get(reverse("agree")).content.decode()
    assert f"{change.effective_at:%Y-%m-%d}" in page
    assert reverse("privacy_version", args=[change.version]) in page
    answer = client.post(reverse("agree"), {"version": change.pk, "next": "/keys"})
    assert answer["Location"] == "/keys"
    assert consents.latest(user=alice, purpose=Consent.Purpose.PRIVACY).version == change
    assert BANNER not in client.get(reverse("overview")).content.decode()


@pytest.mark.clause("7-updates")
def test_when_it_holds_a_page_waits_for_the_word_but_leaving_does_not(client, alice, change):
    assert client.get(reverse("keys")).status_code == 200
    with time_machine.travel(change.effective_at + DAY, tick=False):
        client.force_login(alice)
        answer = client.get("/keys?page=2")
        assert (answer.status_code, answer["Location"]) == (302, "/agree?next=%2Fkeys%3Fpage%3D2")
        for name in ("settings_privacy", "billing", "agree"):
            assert client.get(reverse(name)).status_code == 200, name
        client.post(reverse("agree"), {"version": change.pk})
        assert client.get(reverse("keys")).status_code == 200


def test_only_what_was_shown_is_agreed_to(client, alice, change):
    answer = client.post(reverse("agree"), {"version": "999999", "next": "https://evil.example/"})
    assert answer["Location"] == reverse("overview")
    assert consents.latest(user=alice, purpose=Consent.Purpose.PRIVACY).version != change


def test_agreeing_twice_is_written_once(client, alice, change):
    for _ in range(2):
        client.post(reverse("agree"), {"version": change.pk})
    assert Consent.objects.filter(user=alice, version=change).count() == 1


def test_a_page_asks_the_database_once_for_each_publication(client, change):
    counts = []
    for _ in range(3):
        with CaptureQueriesContext(connection) as asked:
            client.get(reverse("settings"))
        own = 'SELECT "accounts_policyversion"'
        counts.append(sum(query["sql"].startswith(own) for query in asked))
    assert counts[0] > 0
    assert counts[1:] == [0, 0]


def test_the_text_in_force_is_shown_and_the_new_one_at_its_own_address(client, change):
    page = Client().get(reverse("privacy")).content.decode()
    assert "A new version is on its way" in page
    assert f"Version {documents.VERSIONS['privacy'][-1].number}, in force" in page
    page = Client().get(reverse("privacy_version", args=[change.version])).content.decode()
    assert f"not in force before {change.effective_at:%Y-%m-%d}" in page
    assert Client().get("/privacy/99").status_code == 404


# Staff


@pytest.fixture
def staff():
    user = factories.user("root")
    user.is_staff = user.is_superuser = True
    user.save()
    client = Client()
    client.force_login(user)
    return client


def test_staff_see_whom_they_tell_what_before_they_publish(staff, alice):
    page = staff.get(reverse("admin:policy_publish")).content.decode()
    latest = documents.VERSIONS["privacy"][0]
    assert f"Publish privacy {latest.number}" in page
    assert "2 active users" in page
    assert "The privacy policy changes" in page
    assert "隐私政策" in page
    asked = {"document": "privacy", "version": latest.number}
    for _ in range(2):
        assert staff.post(reverse("admin:policy_publish"), asked).status_code == 302
    row = PolicyVersion.objects.get(document="privacy", version=latest.number)
    assert row.announced_at is None
    assert row.effective_at >= timezone.now() + 13 * DAY
    assert staff.post(reverse("admin:policy_publish"), {"document": "x"}).status_code == 404
    page = staff.get(reverse("admin:policy_publish")).content.decode()
    assert "users are being told" in page
    assert staff.get(reverse("admin:accounts_policyversion_changelist")).status_code == 200


def test_staff_without_the_right_publish_nothing(alice):
    user = factories.user("clerk")
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    assert client.get(reverse("admin:policy_publish")).status_code == 403


def test_a_start_publishes_a_new_installations_texts_and_leaves_material_changes_to_staff():
    now = timezone.now()
    documents.publish_at_start(now=now)
    assert documents.waiting() == []
    PolicyVersion.objects.filter(document="privacy", version="3").delete()
    documents.publish_at_start(now=now + DAY)
    assert ("privacy", "3") in [(name, one.number) for name, one in documents.waiting()]
