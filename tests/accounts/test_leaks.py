"""Keys found in public: which are ours, revoked whole, told once."""

import pytest
from django.core import mail
from django.utils import timezone

from accounts import deliveries, keys, keytext, leaks
from accounts.models import Change, LeakedKey, Notification
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
NOW = timezone.now()
URL = "https://github.com/octocat/hello/blob/1/a.py"


@pytest.fixture
def key(account, alice):
    return keys.mint(account=account, created_by=alice, name="laptop")


def finding(token, url=URL):
    return leaks.Finding(token=token, kind="bananarouter_api_key", url=url, source="content")


@pytest.mark.clause("2-notify-security")
def test_a_key_of_ours_is_revoked_and_its_workers_hear_of_it(key):
    made, text = key
    assert leaks.take([finding(text), finding(keytext.draw())], now=NOW) == [True, False]
    made.refresh_from_db()
    assert made.disabled_at is not None
    assert Change.objects.filter(topic=Change.Topic.KEY, ref=str(made.pk)).exists()


@pytest.mark.clause("2-notify-security")
def test_who_manages_keys_is_told_once_and_never_the_key(key, account):
    _, text = key
    factories.join(factories.user("bob"), account)  # a developer who did not make it
    for _again in range(2):
        leaks.take([finding(text), finding(text, URL + "#2")], now=NOW)
    deliveries.sweep(now=NOW)
    assert [message.to for message in mail.outbox] == [["alice@example.com"]]
    told = mail.outbox[0]
    assert "revoked" in told.subject
    assert URL in told.body
    assert "Other places: 1" in told.body
    assert text not in told.subject + told.body
    assert text[-4:] in told.body


def test_who_made_the_key_is_told_too(account):
    bob = factories.user("bob")
    factories.join(bob, account)
    _, text = keys.mint(account=account, created_by=bob, name="of bob")
    leaks.take([finding(text)], now=NOW)
    told = Notification.objects.order_by("user__username").values_list("user__username", "name")
    assert list(told) == [("alice", "leaked_key"), ("bob", "leaked_key")]


def test_a_second_leak_of_a_revoked_key_is_told_too(key):
    _, text = key
    leaks.take([finding(text)], now=NOW)
    assert leaks.take([finding(text, URL + "#elsewhere")], now=NOW) == [True]
    latest = Notification.objects.latest("pk")
    assert latest.facts["url"] == URL + "#elsewhere"
    assert Notification.objects.count() == LeakedKey.objects.count() == 2


def test_a_demo_key_is_no_secret(account):
    made, text = keys.mint_demo(account=account, name="demo")
    assert leaks.take([finding(text)], now=NOW) == [False]
    made.refresh_from_db()
    assert made.disabled_at is None


def test_a_key_under_an_older_pepper_is_found(key, settings):
    made, text = key
    settings.KEY_PEPPERS = {**settings.KEY_PEPPERS, 2: "a newer pepper of more than 32 characters"}
    assert leaks.take([finding(text)], now=NOW) == [True]
    made.refresh_from_db()
    assert made.disabled_at is not None


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://a.example/\nx", "https://a.example/" + "x" * 500]
)
def test_an_address_that_cannot_be_shown_is_not_kept(url):
    body = b'[{"token": "t", "type": "k", "url": %s, "source": "content"}]'
    found = leaks.read(body % repr(url).replace("'", '"').encode())
    assert found[0].url == ""


def test_an_address_that_holds_the_key_is_not_kept():
    found = leaks.read(b'[{"token": "secret", "type": "k", "url": "https://a.example/?k=secret"}]')
    assert found[0].url == ""
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[1]", b'[{"type": "k"}]', b'[{"token": 1, "type": "k"}]', b"\xff",
        b'[{"token": "\\ud800", "type": "k"}]', b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_list_of_findings_is_unreadable(body):
    with pytest.raises(leaks.Unreadable):
        leaks.read(body)
