"""Who hears of what: defaults, choices, and what cannot be chosen."""

import datetime as dt
import threading

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts import notifications, owners, roles
from accounts.models import Delivery, Membership, Notification, NotificationPreference, User
from accounts.notifications import Notice

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


@pytest.mark.clause("1.1-phone")
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


# What is told


NOW = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)


def notice(kind="low_balance", key="low:1", **fields) -> Notice:
    facts = {"account": "Alice", "available": "$1.20", "threshold": "$10.00"}
    return Notice(kind=kind, key=key, name="low_balance", facts=facts, **fields)


def ways() -> dict[str, str]:
    return dict(Delivery.objects.values_list("way", "state"))


def test_an_event_is_told_once_whatever_happens(alice):
    assert notifications.tell(user=alice, notice=notice(), now=NOW)
    assert not notifications.tell(user=alice, notice=notice(), now=NOW)
    assert Notification.objects.count() == 1
    assert ways() == {"email": "waiting", "web": "sent"}
    assert notifications.tell(user=alice, notice=notice(key="low:2"), now=NOW)
    bob = owners.register(email="bob@example.com")
    assert notifications.tell(user=bob, notice=notice(), now=NOW)


def test_what_a_user_does_not_want_is_kept_without_a_way(alice):
    notifications.choose(alice, {})
    assert notifications.tell(user=alice, notice=notice(), now=NOW)
    told = Notification.objects.get()
    assert not told.is_on_site
    assert ways() == {}
    notifications.choose(alice, {"low_balance": ["email", "web"]})
    assert not notifications.tell(user=alice, notice=notice(), now=NOW)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_tell_at_once_one_does(alice, transactional_db):
    start, told = threading.Barrier(4), []

    def work() -> None:
        try:
            start.wait()
            told.append(notifications.tell(user=alice, notice=notice(), now=NOW))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [False, False, False, True]
    assert Delivery.objects.filter(way="email").count() == 1


def test_an_account_is_told_by_right_and_only_those_who_are_active(alice, account):
    for name, role in (("bob", "developer"), ("carol", "billing"), ("dave", "admin")):
        person = owners.register(email=f"{name}@example.com")
        Membership.objects.create(account=account, user=person, role=role)
    User.objects.filter(email="dave@example.com").update(is_active=False)
    told = {"account": account, "roles": roles.may_see_money, "now": NOW}
    assert notifications.tell_account(notice=notice(), **told) == 2
    assert notifications.tell_account(notice=notice(), **told) == 0
    emails = Notification.objects.values_list("user__email", "account__pk")
    assert set(emails) == {
        ("alice@example.com", account.pk),
        ("carol@example.com", account.pk),
    }


def test_a_notice_is_small_and_of_a_known_kind():
    with pytest.raises(KeyError):
        Notice(kind="gossip", key="1", name="low_balance")
    for bad in (
        {"key": ""},
        {"key": "k" * 161},
        {"key": "1", "facts": {"text": "x" * 201}},
        {"key": "1", "facts": dict.fromkeys(map(str, range(21)), 1)},
    ):
        with pytest.raises(notifications.NotSmall):
            Notice(kind="product", name="low_balance", **bad)


def test_a_delivery_is_due_or_done(alice):
    notifications.tell(user=alice, notice=notice(), now=NOW)
    for wrong in (
        {"state": "sent"},
        {"state": "waiting", "next_try_at": None},
        {"state": "failed", "next_try_at": None, "done_at": NOW, "address": "a@example.com"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Delivery.objects.filter(way="email").update(**wrong)
