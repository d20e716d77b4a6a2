"""Who hears of what: defaults, choices, and what cannot be chosen."""

import pytest
from django.utils import timezone

from accounts import notifications, owners
from accounts.models import NotificationPreference

pytestmark = pytest.mark.django_db


def chosen(user) -> dict[str, set[str]]:
    return {each.kind.name: set(each.ways) for each in notifications.preferences(user)}


def verify_phone(user) -> None:
    user.phone, user.phone_verified_at = "+6581234567", timezone.now()
    user.save(update_fields=["phone", "phone_verified_at"])


def test_a_new_user_has_the_defaults_without_a_row(alice):
    assert chosen(alice) == {
        name: set(kind.by_default) for name, kind in notifications.KINDS.items()
    }
    assert not NotificationPreference.objects.exists()


def test_every_kind_is_consistent():
    for name, kind in notifications.KINDS.items():
        assert kind.name == name
        assert kind.always <= kind.by_default <= kind.possible <= set(notifications.WAYS)
        assert "sms" not in kind.by_default
        assert len(name) <= NotificationPreference._meta.get_field("kind").max_length


def test_a_choice_is_kept_and_can_be_changed(alice):
    notifications.choose(alice, {"product": ["email"], "top_up": []})
    assert chosen(alice)["product"] == {"email"}
    assert chosen(alice)["top_up"] == set()
    notifications.choose(alice, {"product": ["web"], "top_up": ["email"]})
    assert chosen(alice)["product"] == {"web"}
    assert chosen(alice)["top_up"] == {"email"}
    assert NotificationPreference.objects.count() == len(notifications.KINDS)


def test_security_mail_cannot_be_switched_off(alice):
    notifications.choose(alice, {})
    assert chosen(alice)["security"] == {"email"}
    assert chosen(alice)["policy_change"] == {"email", "web"}
    assert chosen(alice)["low_balance"] == set()


def test_text_messages_are_for_urgent_kinds_and_verified_numbers(alice):
    everything = {name: ["sms"] for name in notifications.KINDS}
    notifications.choose(alice, everything)
    assert not any("sms" in ways for ways in chosen(alice).values())
    verify_phone(alice)
    notifications.choose(alice, everything)
    by_sms = {name for name, ways in chosen(alice).items() if "sms" in ways}
    assert by_sms == {"security", "low_balance", "incident"}
    alice.phone_verified_at = None
    assert not any("sms" in ways for ways in chosen(alice).values())


def test_one_users_choice_is_not_anothers(alice):
    bob = owners.register(email="bob@example.com")
    notifications.choose(alice, {})
    assert chosen(bob)["low_balance"] == {"email", "web"}
