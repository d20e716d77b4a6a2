"""Asking to be forgotten: once, with a way back until the doors are shut."""

import datetime as dt

import pytest
from allauth.usersessions.models import UserSession
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import closures, keys
from accounts.models import Account, ApiKey, Closure, Membership
from tests import factories

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
COOLING = dt.timedelta(hours=72)


@pytest.fixture
def alice():
    return factories.user("alice")


@pytest.fixture
def account(alice):
    return factories.account_of(alice)


def ask(user, *, cooling=COOLING, now=NOW, forfeit_nusd=0) -> Closure:
    return closures.ask(
        user=user, forfeit_nusd=forfeit_nusd, cooling=cooling, language="en", now=now
    )


def mint(account, user=None, name="k") -> ApiKey:
    return keys.mint(account=account, created_by=user, name=name)[0]


def test_asking_twice_is_one_closure(alice):
    first = ask(alice)
    assert ask(alice, now=NOW + dt.timedelta(hours=1), forfeit_nusd=5).pk == first.pk
    found = Closure.objects.get()
    assert (found.state, found.due_at, found.forfeit_nusd) == ("cooling", NOW + COOLING, 5)


def test_the_database_holds_one_open_closure_of_a_user(alice):
    ask(alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        Closure.objects.create(user=alice, state="asked", asked_at=NOW, due_at=NOW)


def test_keys_are_paused_while_it_is_thought_over_and_work_again_when_it_is_taken_back(
    alice, account
):
    working, paused = mint(account), mint(account)
    keys.set_paused(paused, is_paused=True)
    ask(alice)
    working.refresh_from_db()
    assert working.paused_at is not None
    assert closures.cancel(user=alice, now=NOW)
    for key in (working, paused):
        key.refresh_from_db()
    assert (working.paused_at, working.disabled_at) == (None, None)
    assert paused.paused_at is not None
    assert not closures.cancel(user=alice, now=NOW)
    assert Closure.objects.get().state == "cancelled"
    assert ask(alice).state == "cooling"


def test_whoever_alone_owns_what_others_use_must_hand_it_over(alice, account):
    bob = factories.user("bob")
    factories.join(bob, account)
    with pytest.raises(closures.Blocked, match="sole_owner"):
        ask(alice)
    assert not Closure.objects.exists()
    Membership.objects.filter(user=bob, account=account).update(role="owner")
    assert ask(alice).account_ids == []


def test_every_door_is_shut_at_once(alice, account):
    bob = factories.user("bob")
    theirs = factories.account_of(bob)
    factories.join(alice, theirs)
    own, shared = mint(account, alice), mint(theirs, alice)
    client = Client()
    client.force_login(alice)
    UserSession.objects.create(
        user=alice, session_key=client.session.session_key, ip="192.0.2.7", data={}
    )
    closure = ask(alice, cooling=dt.timedelta())
    assert closures.begin(closure, now=NOW)
    assert client.get(reverse("overview")).status_code == 302
    assert not UserSession.objects.filter(user=alice).exists()
    own.refresh_from_db()
    shared.refresh_from_db()
    assert own.disabled_at is not None
    # A key belongs to its account: bob's goes on.
    assert shared.disabled_at is None
    assert not Account.objects.get(pk=account.pk).is_active
    assert Account.objects.get(pk=theirs.pk).is_active
    alice.refresh_from_db()
    assert not alice.is_active
    assert not closures.cancel(user=alice, now=NOW)
    assert not closures.begin(closure, now=NOW)


def test_nothing_begins_before_its_time(alice):
    closure = ask(alice)
    assert not closures.begin(closure, now=NOW + COOLING - dt.timedelta(seconds=1))
    assert closures.due(now=NOW, most=9) == []
    assert [found.pk for found in closures.due(now=NOW + COOLING, most=9)] == [closure.pk]


def test_somebody_who_joined_meanwhile_keeps_the_account(alice, account):
    closure = ask(alice)
    factories.join(factories.user("bob"), account)
    with pytest.raises(closures.Blocked), transaction.atomic():
        closures.begin(closure, now=NOW + COOLING)
    closure.refresh_from_db()
    assert closure.state == "cooling"
    assert Account.objects.get(pk=account.pk).is_active


def test_a_forged_word_opens_nothing(alice):
    closure = ask(alice)
    word = closures.word(closure)
    assert closures.found_by(word) == closure
    assert closures.found_by(word[:-1] + ("A" if word[-1] != "A" else "B")) is None
    assert closures.found_by(closure.public_id.hex) is None


def test_staff_do_not_let_in_who_is_being_erased(alice, admin_client):
    closure = ask(alice, cooling=dt.timedelta())
    closures.begin(closure, now=timezone.now())
    admin_client.post(
        reverse("admin:accounts_user_changelist"),
        {"action": "let_in", "_selected_action": [alice.pk]},
    )
    alice.refresh_from_db()
    assert not alice.is_active
