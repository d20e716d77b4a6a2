import pytest
from django.conf import settings

from accounts import keys
from accounts.models import Account, ApiKey, User
from bananarouter import seed
from billing import ledger, queries
from routing import catalogue
from routing.models import Channel, Endpoint

pytestmark = pytest.mark.django_db


def test_makes_an_account_with_money_a_key_and_channels_of_each_protocol():
    seeded = seed.seed(demo_port=8100)
    account = Account.objects.get()
    assert account.is_demo
    assert queries.balance(account.pk).available_nusd == seed.BALANCE_NUSD
    key = keys.find(seeded.key)
    assert key.account == account
    assert key.is_demo
    assert key.allowed_models == ["demo/*"]
    assert {(c.name, c.protocol, c.is_demo) for c in Channel.objects.all()} == {
        ("demo-openai", "openai-chat", True),
        ("demo-anthropic", "anthropic-messages", True),
        ("demo-gemini", "gemini", True),
        ("demo-only-chat", "openai-chat", True),
        ("demo-only-responses", "openai-chat", True),
        ("demo-only-messages", "anthropic-messages", True),
        ("demo-only-gemini", "gemini", True),
    }
    assert Endpoint.objects.count() == 26
    assert ledger.audit() == []


def test_the_staff_user_owns_the_demo_account_and_can_log_in_once_told():
    seeded = seed.seed(demo_port=8100)
    user = User.objects.get()
    assert user.username == seeded.staff_username
    assert user.is_staff
    assert user.is_superuser
    assert user.check_password(seeded.staff_password)
    assert list(user.accounts.all()) == [Account.objects.get()]
    assert seeded.staff_password not in repr(seeded)
    assert seeded.key not in repr(seeded)


def test_a_second_time_makes_nothing_and_tells_no_password():
    first = seed.seed(demo_port=8100)
    counts = [m.objects.count() for m in (Account, User, ApiKey, Channel, Endpoint)]
    second = seed.seed(demo_port=8100)
    assert second.key == first.key
    assert second.staff_password is None
    assert [m.objects.count() for m in (Account, User, ApiKey, Channel, Endpoint)] == counts
    assert queries.balance(Account.objects.get().pk).available_nusd == seed.BALANCE_NUSD


def test_the_channels_follow_the_demo_vendor_to_another_port():
    seed.seed(demo_port=8100)
    seed.seed(demo_port=9100)
    assert {c.base_url for c in Channel.objects.all()} == {
        "http://127.0.0.1:9100",
        "http://127.0.0.1:9100/v1",
        "http://127.0.0.1:9100/v1beta",
    }


def test_every_demo_model_can_be_served():
    seed.seed(demo_port=8100)
    catalogue.refresh()
    models = catalogue.current().models
    assert set(models) >= {"demo/small", "demo/fast", "demo/steady", "demo/reasoner", "demo/embed"}
    assert set(models) >= set(seed.MEDIA_MODELS)
    assert len(models["demo/fast"].endpoints) == 3


def test_without_a_demo_nothing_is_made():
    assert seed.seed(demo_port=None) == seed.Seeded()
    assert not Account.objects.exists()
    assert not Channel.objects.exists()


@pytest.mark.parametrize("variable", list(seed.VENDOR_KEYS))
def test_a_vendor_key_opens_its_channel_to_others_than_the_demo(monkeypatch, variable):
    monkeypatch.setenv(variable, "sk-test-not-a-real-key-0123456789")
    seeded = seed.seed(demo_port=8100)
    assert seeded.vendors == (seed.VENDOR_KEYS[variable],)
    channel = Channel.objects.get(vendor=seed.VENDOR_KEYS[variable])
    assert not channel.is_demo
    assert b"sk-test" not in bytes(channel.credential)
    assert settings.CREDENTIAL_KEYS
