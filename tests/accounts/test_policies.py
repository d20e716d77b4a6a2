"""Versions of legal documents are published once and come into force in time."""

import datetime as dt

import pytest

from accounts import policies

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def publish(version="1", *, document="privacy", text_sha256="a" * 64, effective_at=NOW):
    return policies.publish(
        document=document, version=version, text_sha256=text_sha256, summary="First.",
        effective_at=effective_at, now=NOW,
    )  # fmt: skip


def test_a_version_is_published_once():
    first = publish()
    assert publish().pk == first.pk
    assert (first.published_at, first.effective_at, first.sha256) == (NOW, NOW, "a" * 64)
    assert policies.history("privacy") == [first]


@pytest.mark.clause("7-updates")
def test_a_published_text_cannot_change():
    publish()
    with pytest.raises(policies.VersionChanged):
        publish(text_sha256="b" * 64)
    assert policies.history("privacy")[0].sha256 == "a" * 64


def test_the_current_version_is_the_latest_in_force():
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
    assert publish(document="terms", text_sha256="b" * 64).version == "1"
