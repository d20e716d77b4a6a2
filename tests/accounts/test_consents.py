import datetime as dt

import pytest

from accounts import consents, owners, policies
from accounts.models import Consent, PolicyVersion

NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
CROSS_BORDER = Consent.Purpose.CROSS_BORDER


def published(version, *, effective_at=NOW):
    text = policies.Text(
        document=PolicyVersion.Document.TERMS, version=version, sha256=version * 64, summary="",
        is_material=True, effective_at=effective_at,
    )  # fmt: skip
    return policies.publish(text, now=NOW)


@pytest.fixture
def terms():
    return published("1")


def test_the_latest_word_counts_and_every_word_stays(alice):
    assert consents.latest(user=alice, purpose=CROSS_BORDER) is None
    assert not consents.is_given(user=alice, purpose=CROSS_BORDER)
    consents.give(user=alice, purpose=CROSS_BORDER, version=None, now=NOW)
    assert consents.is_given(user=alice, purpose=CROSS_BORDER)
    consents.withdraw(user=alice, purpose=CROSS_BORDER, now=NOW)
    assert not consents.is_given(user=alice, purpose=CROSS_BORDER)
    assert [row.action for row in Consent.objects.order_by("pk")] == ["given", "withdrawn"]
    assert not consents.is_given(user=alice, purpose=Consent.Purpose.DEBUG)


def test_a_consent_carries_its_moment_and_version(alice, terms):
    given = consents.give(user=alice, purpose=Consent.Purpose.TERMS, version=terms, now=NOW)
    given.refresh_from_db()
    assert (given.created_at, given.version) == (NOW, terms)
    later = NOW + dt.timedelta(days=1)
    taken = consents.withdraw(user=alice, purpose=Consent.Purpose.TERMS, now=later)
    assert (taken.created_at, taken.version) == (later, terms)


def test_policies_are_accepted_in_the_version_in_force(alice, terms):
    published("2", effective_at=NOW + dt.timedelta(days=30))
    consents.accept_policies(user=alice, now=NOW)
    accepted = consents.latest(user=alice, purpose=Consent.Purpose.TERMS)
    assert accepted is not None
    assert accepted.version == terms
    unpublished = consents.latest(user=alice, purpose=Consent.Purpose.PRIVACY)
    assert unpublished is not None
    assert unpublished.version is None


def test_anothers_consents_are_not_ones_own(alice):
    consents.give(user=alice, purpose=CROSS_BORDER, version=None, now=NOW)
    mallory = owners.register(email="mallory@example.com")
    assert consents.latest(user=mallory, purpose=CROSS_BORDER) is None
