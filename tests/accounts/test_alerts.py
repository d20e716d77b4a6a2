"""Security alerts: each event is told exactly once, to whom it concerns."""

import datetime as dt

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts import alerts, keys, networks, session_keys
from accounts.models import ApiKey, KeyNetwork, KnownDevice, Notification, User
from tests import factories, geoip, mailbox

pytestmark = [pytest.mark.django_db, pytest.mark.clause("2-notify-security")]
NOW = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"


@pytest.fixture
def alice() -> User:
    return factories.user("alice", password=factories.PASSWORD)


@pytest.fixture
def account(alice):
    return factories.account_of(alice)


def log_in(agent=FIREFOX, address="203.0.113.7") -> Client:
    client = Client(headers={"user-agent": agent}, REMOTE_ADDR=address)
    client.post(reverse("account_login"), {"login": "alice", "password": factories.PASSWORD})
    assert client.get(reverse("overview")).status_code == 200
    return client


def told(user=None) -> list[str]:
    rows = Notification.objects.order_by("pk")
    return list((rows.filter(user=user) if user else rows).values_list("name", flat=True))


# Log-ins


def test_the_first_device_is_no_news_and_a_new_one_is_told_once(alice):
    log_in()
    log_in()
    assert told() == []
    log_in(CHROME)
    assert told() == ["new_device"]
    log_in(CHROME)
    log_in(FIREFOX)
    assert told() == ["new_device"]
    assert Notification.objects.get().facts["device"] == "Chrome, Windows"
    assert mailbox.subjects("alice@example.com") == ["New log-in to your account"]


def test_the_same_device_in_another_network_is_new_and_a_neighbor_is_not(alice):
    log_in(address="203.0.113.7")
    log_in(address="203.0.113.200")
    assert told() == []
    log_in(address="198.51.100.9")
    assert told() == ["new_device"]


def test_no_address_is_stored_to_know_a_device_again(alice):
    log_in()
    log_in(address="198.51.100.9")
    assert KnownDevice.objects.count() == 2
    for row in [*KnownDevice.objects.values(), *Notification.objects.values()]:
        assert "198.51" not in repr(row)


def test_devices_that_are_remembered_are_bounded(alice, monkeypatch):
    monkeypatch.setattr(networks, "DEVICES_MAX", 3)
    for number in range(6):
        at = NOW + dt.timedelta(minutes=number)
        networks.note_device(alice, family=f"f{number}", address="203.0.113.7", now=at)
    assert KnownDevice.objects.count() == 3


def test_a_log_in_works_without_a_pepper(alice, settings):
    settings.KEY_PEPPERS = {}
    log_in()
    assert told() == []


@pytest.fixture
def atlas(tmp_path, settings):
    """A file of countries: two networks in one, one in another."""
    settings.GEOIP_DB = geoip.write(
        tmp_path / "countries.mmdb",
        {"203.0.113.0/24": "US", "192.0.2.0/24": "US", "198.51.100.0/24": "JP"},
    )


def test_a_log_in_from_a_new_country_is_told_as_such_once(alice, atlas):
    log_in()
    assert told() == []
    log_in(address="192.0.2.9")
    assert told() == ["new_device"]  # the same country
    log_in(address="198.51.100.9")
    log_in(address="198.51.100.200")
    log_in(CHROME, address="198.51.100.9")
    assert told() == ["new_device", "new_country", "new_device"]
    assert Notification.objects.all()[1].facts["country_en"] == "Japan"
    mails = mailbox.subjects("alice@example.com")
    assert "New log-in from another country" in mails
    assert set(KnownDevice.objects.values_list("country", flat=True)) == {"US", "JP"}


def test_devices_from_before_there_were_countries_get_theirs(alice, tmp_path, settings):
    log_in()
    settings.GEOIP_DB = geoip.write(
        tmp_path / "late.mmdb", {"203.0.113.0/24": "US", "198.51.100.0/24": "JP"}
    )
    log_in()
    log_in(address="198.51.100.9")
    assert told() == ["new_country"]


def test_without_a_file_or_with_a_broken_one_the_network_is_told(alice, tmp_path, settings):
    settings.GEOIP_DB = tmp_path / "missing.mmdb"
    log_in()
    log_in(address="198.51.100.9")
    assert told() == ["new_device"]
    assert "country_en" not in Notification.objects.get().facts


# Passwords, factors, addresses


def test_a_changed_password_is_told_once(alice):
    client = log_in()
    fields = {"oldpassword": factories.PASSWORD, "password1": "another long pass phrase"}
    client.post(reverse("account_change_password"), fields)
    assert told() == ["password_changed"]
    assert mailbox.subjects("alice@example.com") == ["Your password was changed"]


def test_a_mail_server_that_is_away_breaks_no_change(alice, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    client = log_in()
    fields = {"oldpassword": factories.PASSWORD, "password1": "another long pass phrase"}
    response = client.post(reverse("account_change_password"), fields)
    assert response.status_code == 302
    alice.refresh_from_db()
    assert alice.check_password("another long pass phrase")
    assert mailbox.deliver() == 0
    assert told() == ["password_changed"]


def test_a_second_factor_that_goes_is_told_once(alice):
    client = log_in()
    TOTP.activate(alice, "A" * 32)
    client.post(reverse("account_reauthenticate"), {"password": factories.PASSWORD})
    client.post(reverse("mfa_deactivate_totp"))
    assert not Authenticator.objects.exists()
    assert told() == ["totp_deactivated"]


def test_a_recovery_code_that_was_used_is_told_once(alice):
    TOTP.activate(alice, "A" * 32)
    code = RecoveryCodes.activate(alice).get_unused_codes()[0]
    client = Client(headers={"user-agent": FIREFOX}, REMOTE_ADDR="203.0.113.7")
    client.post(reverse("account_login"), {"login": "alice", "password": factories.PASSWORD})
    client.post(reverse("mfa_authenticate"), {"code": code})
    assert client.get(reverse("overview")).status_code == 200
    assert told() == ["recovery_code_used"]
    assert Authenticator.objects.count() == 2


def test_a_new_address_is_told_to_the_old_one(alice):
    client = log_in()
    change = {"email": "new@example.com", "action_add": "1"}
    response = client.post(reverse("account_email"), change)
    client.post(response["Location"], {"password": factories.PASSWORD})
    code = mailbox.latest_code("new@example.com")
    client.post(reverse("account_email_verification_sent"), {"code": code})
    assert EmailAddress.objects.get().email == "new@example.com"
    assert told() == ["email_changed"]
    assert mailbox.subjects("alice@example.com") == ["Your email address was changed"]


# Keys


def mint(account, by, **options) -> ApiKey:
    return keys.mint(account=account, created_by=by, name="Fish & <Chips>", **options)[0]


def test_a_new_key_is_told_once_to_its_maker_and_to_those_who_manage_keys(alice, account):
    bob = factories.user("bob")
    factories.join(bob, account)
    factories.join(factories.user("carol"), account, "billing")
    mint(account, bob)
    assert alerts.sweep(now=NOW) == 2
    assert alerts.sweep(now=NOW) == 0
    assert set(Notification.objects.values_list("user__username", "name")) == {
        ("alice", "key_made"),
        ("bob", "key_made"),
    }
    mailbox.deliver()
    assert mailbox.subjects("alice@example.com") == ["A new API key was made"]


def test_keys_of_pages_and_demos_are_no_news(alice, account):
    session_keys.mint(account=account, user=alice, now=NOW)
    keys.mint_demo(account=account, name="Demo")
    assert alerts.sweep(now=NOW) == 0
    assert not ApiKey.objects.filter(is_announced=False).exists()


def test_a_program_that_makes_many_keys_fills_no_mailbox(alice, account, monkeypatch):
    monkeypatch.setattr(alerts, "KEYS_TOLD_MAX", 2)
    for _ in range(5):
        mint(account, alice)
    assert alerts.sweep(now=NOW) == 3
    assert told() == ["key_made", "key_made", "keys_made"]


def use(key, *addresses) -> None:
    networks.Notebook().note([(key.pk, address) for address in addresses], now=NOW)


def test_a_key_in_a_new_network_is_told_once(alice, account):
    key = mint(account, alice)
    use(key, "203.0.113.7")
    alerts.sweep(now=NOW)
    assert told() == ["key_made"]  # where a key begins is where it lives
    use(key, "203.0.113.99")
    alerts.sweep(now=NOW)
    assert told() == ["key_made"]
    use(key, "198.51.100.9", "198.51.100.10")
    assert alerts.sweep(now=NOW) == 1
    use(key, "198.51.100.9", "203.0.113.7")
    assert alerts.sweep(now=NOW) == 0
    assert told() == ["key_made", "key_network"]
    assert KeyNetwork.objects.count() == 2
    mailbox.deliver()
    assert "An API key was used from a new network" in mailbox.subjects("alice@example.com")


def test_a_key_that_moves_all_day_is_told_a_few_times(alice, account, monkeypatch):
    monkeypatch.setattr(alerts, "NETWORKS_TOLD_MAX", 2)
    key = mint(account, alice)
    use(key, *(f"203.0.{number}.7" for number in range(6)))
    alerts.sweep(now=NOW)
    assert told().count("key_network") == 2
    use(key, "198.51.100.9")
    alerts.sweep(now=NOW + dt.timedelta(days=1))
    assert told().count("key_network") == 3


def test_a_notebook_asks_the_database_once_for_each_pair(alice, account, django_assert_num_queries):
    key, notebook = mint(account, alice), networks.Notebook()
    assert notebook.note([(key.pk, "203.0.113.7"), (10**9, "203.0.113.7")], now=NOW) == 2
    with django_assert_num_queries(0):
        assert notebook.note([(key.pk, "203.0.113.8"), (10**9, "203.0.113.7")], now=NOW) == 0
    assert KeyNetwork.objects.count() == 1


def test_a_key_in_a_new_country_is_told_as_such_once(alice, account, atlas):
    key = mint(account, alice)
    use(key, "203.0.113.7")
    use(key, "192.0.2.9")
    alerts.sweep(now=NOW)
    assert told() == ["key_made", "key_network"]
    use(key, "198.51.100.9")
    alerts.sweep(now=NOW)
    use(key, "198.51.100.10", "203.0.113.7")
    alerts.sweep(now=NOW)
    assert told() == ["key_made", "key_network", "key_country"]
    facts = Notification.objects.order_by("pk").last().facts
    assert (facts["country_en"], facts["country_zh"]) == ("Japan", "日本")
    User.objects.filter(pk=alice.pk).update(language="zh-hans")
    assert "API 密钥在新的国家或地区使用" in mailbox.subjects("alice@example.com")
    assert "日本" in mail.outbox[-1].body
    assert "Japan" not in mail.outbox[-1].body


def test_networks_at_home_do_not_drown_a_country(alice, account, atlas, monkeypatch):
    monkeypatch.setattr(alerts, "NETWORKS_TOLD_MAX", 1)
    key = mint(account, alice)
    use(key, "203.0.113.7")
    for number in range(3):
        use(key, f"10.0.{number}.7")
    use(key, "198.51.100.9")
    alerts.sweep(now=NOW)
    assert told().count("key_network") == 1
    assert told().count("key_country") == 1


def test_networks_from_before_there_were_countries_get_theirs(alice, account, tmp_path, settings):
    key, other = mint(account, alice), mint(account, alice)
    use(key, "203.0.113.7")
    use(other, "203.0.113.7")
    settings.GEOIP_DB = geoip.write(
        tmp_path / "late.mmdb", {"203.0.113.0/24": "US", "198.51.100.0/24": "JP"}
    )
    use(key, "203.0.113.7")
    assert KeyNetwork.objects.get(api_key=key).country == "US"
    assert KeyNetwork.objects.get(api_key=other).country == ""
    use(key, "198.51.100.9")
    use(other, "198.51.100.9")  # where it was before is not known
    alerts.sweep(now=NOW)
    assert sorted(told()) == ["key_country", "key_made", "key_made", "key_network"]
