import datetime as dt

import pytest
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import keys, owners
from accounts.models import (
    Account,
    ApiKey,
    BillingDetails,
    Change,
    ChangeSequence,
    Consent,
    ContactRequest,
    Invitation,
    LeakedKey,
    Membership,
    NotificationPreference,
    PolicyVersion,
    Takedown,
    User,
)
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    user, _ = owners.make_staff(email="root@example.com")
    client.force_login(user)
    return client


@pytest.fixture
def key(account, alice):
    return keys.mint(account=account, created_by=alice, name="laptop")[0]


def url(model, page, *args):
    return reverse(f"admin:accounts_{model._meta.model_name}_{page}", args=args)


def changes_of(topic):
    return list(Change.objects.filter(topic=topic).values_list("ref", flat=True))


READ_ONLY = [
    BillingDetails, Change, ChangeSequence, Consent, ContactRequest, Invitation, LeakedKey,
    NotificationPreference, PolicyVersion, Takedown,
]  # fmt: skip
MODELS = [User, Account, ApiKey, Membership, *READ_ONLY]


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_registered(model):
    assert admin.site.is_registered(model)


@pytest.mark.parametrize("model", READ_ONLY)
def test_nobody_rewrites_what_people_said(staff, model):
    assert staff.get(url(model, "add")).status_code == 403
    assert staff.post(url(model, "add"), {}).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_lists_and_searches(staff, key, model):
    keys.disable(key)
    assert staff.get(url(model, "changelist")).status_code == 200
    assert staff.get(url(model, "changelist"), {"q": "x"}).status_code == 200


@pytest.mark.parametrize("state", ["active", "expired", "disabled"])
def test_filters_keys_by_state(staff, key, state):
    page = staff.get(url(ApiKey, "changelist"), {"state": state}).content
    assert (b"laptop" in page) == (state == "active")


def test_a_digest_is_never_shown(staff, key):
    digest = bytes(ApiKey.objects.get(pk=key.pk).digest)
    for page in (url(ApiKey, "changelist"), url(ApiKey, "change", key.pk)):
        content = staff.get(page).content
        assert digest.hex().encode() not in content
        assert repr(digest)[2:-1].encode() not in content
        assert b"digest" not in content.lower()
        assert key.last_four.encode() in content


def test_disables_keys_and_announces_it(staff, key):
    staff.post(url(ApiKey, "changelist"), {"action": "disable", "_selected_action": [str(key.pk)]})
    key.refresh_from_db()
    assert key.disabled_at is not None
    assert changes_of("key") == [str(key.pk)]


def test_restricts_a_key_and_announces_it(staff, key):
    answer = staff.post(
        url(ApiKey, "change", key.pk),
        {"name": "desk", "allowed_models": '["demo/*"]', "allowed_ips": '["192.0.2.9/24"]',
         "expires_at_0": "", "expires_at_1": "", "account": "999", "is_demo": "on"},
    )  # fmt: skip
    assert answer.status_code == 302, answer.content
    key.refresh_from_db()
    assert (key.name, key.allowed_models, key.allowed_ips) == ("desk", ["demo/*"], ["192.0.2.0/24"])
    assert not key.is_demo
    assert changes_of("key") == [str(key.pk)]


@pytest.mark.parametrize("value", ['["a*b"]', '"text"', "[1]", '{"a": 1}'])
def test_refuses_a_scope_that_would_break_verification(staff, key, value):
    answer = staff.post(
        url(ApiKey, "change", key.pk),
        {"name": "desk", "allowed_models": value, "allowed_ips": "[]"},
    )
    assert answer.status_code == 200
    key.refresh_from_db()
    assert key.allowed_models == []


def test_nobody_mints_or_deletes_keys_here(staff, key):
    assert staff.get(url(ApiKey, "add")).status_code == 403
    assert staff.post(url(ApiKey, "delete", key.pk), {"post": "yes"}).status_code == 403


def test_closes_and_reopens_accounts_and_announces_it(staff, account):
    for action, is_active in (("close", False), ("close", False), ("reopen", True)):
        staff.post(
            url(Account, "changelist"), {"action": action, "_selected_action": [str(account.pk)]}
        )
        account.refresh_from_db()
        assert account.is_active == is_active
    assert changes_of("account") == [str(account.pk)] * 2


def test_what_an_owner_stated_is_shown_and_not_written(staff, account):
    said_at = timezone.now().replace(microsecond=0) - dt.timedelta(days=3)
    owners.state_territory(account, country="FR", attests_ownership=False, now=said_at)
    page = staff.get(url(Account, "change", account.pk)).content.decode()
    for label in ("Country", "Country attested at", "Ownership attested at", "Ownership denied at"):
        assert f"{label}:" in page, label
    form = {"name": "Alice", "is_active": "on", "country": "DE", "country_attested_at_0": "",
            "ownership_attested_at_0": "2026-01-01", "ownership_attested_at_1": "00:00:00",
            "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}  # fmt: skip
    assert staff.post(url(Account, "change", account.pk), form).status_code == 302
    account.refresh_from_db()
    assert (account.country, account.country_attested_at) == ("FR", said_at)
    assert (account.ownership_attested_at, account.ownership_denied_at) == (None, said_at)


def test_a_new_limit_of_an_account_is_announced(staff, account):
    form = {"name": "Alice", "is_active": "on", "requests_per_minute_max": "5",
            "concurrency_max": "", "memberships-TOTAL_FORMS": "0",
            "memberships-INITIAL_FORMS": "0"}  # fmt: skip
    answer = staff.post(url(Account, "change", account.pk), form)
    assert answer.status_code == 302, answer.content
    account.refresh_from_db()
    assert account.requests_per_minute_max == 5
    assert changes_of("account") == [str(account.pk)]


def test_a_user_added_by_staff_owns_an_account(staff):
    answer = staff.post(
        url(User, "add"),
        {"username": "zoe", "email": "zoe@example.com", "usable_password": "true",
         "password1": "a-long-enough-password-27", "password2": "a-long-enough-password-27"},
    )  # fmt: skip
    assert answer.status_code == 302, answer.content
    assert Membership.objects.get(user__username="zoe").role == "owner"


def test_changes_are_read_only(staff, key):
    keys.disable(key)
    row = Change.objects.get()
    assert staff.get(url(Change, "add")).status_code == 403
    assert staff.post(url(Change, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert staff.get(url(Change, "change", row.pk)).status_code == 200


def test_who_is_not_staff_sees_nothing(client, alice, key):
    client.force_login(alice)
    assert client.get(url(ApiKey, "changelist")).status_code == 302


def test_a_locked_out_user_is_logged_out_and_cannot_come_back(staff, alice, account):
    alice.set_password(PASSWORD)
    alice.save()
    EmailAddress.objects.filter(user=alice).update(verified=True)
    theirs = Client()
    theirs.post(reverse("account_login"), {"login": "alice", "password": PASSWORD})
    assert theirs.get(reverse("overview")).status_code == 200
    staff.post(url(User, "changelist"), {"action": "lock_out", "_selected_action": [str(alice.pk)]})
    assert theirs.get(reverse("overview")).status_code == 302
    theirs.post(reverse("account_login"), {"login": "alice", "password": PASSWORD})
    assert theirs.get(reverse("overview")).status_code == 302
    staff.post(url(User, "changelist"), {"action": "let_in", "_selected_action": [str(alice.pk)]})
    theirs.post(reverse("account_login"), {"login": "alice", "password": PASSWORD})
    assert theirs.get(reverse("overview")).status_code == 200


def test_staff_do_not_lock_out_themselves(staff):
    root = User.objects.get(email="root@example.com")
    staff.post(url(User, "changelist"), {"action": "lock_out", "_selected_action": [str(root.pk)]})
    assert staff.get(url(User, "changelist")).status_code == 200


def test_an_invitation_is_revoked_and_its_digest_never_shown(staff, account):
    invited = Invitation.objects.create(
        account=account, email="bob@example.com", role="admin", digest=b"\x11" * 32,
        expires_at=timezone.now(),
    )  # fmt: skip
    page = staff.get(url(Invitation, "change", invited.pk))
    assert page.status_code == 200
    assert b"digest" not in page.content.lower()
    staff.post(
        url(Invitation, "changelist"), {"action": "revoke", "_selected_action": [str(invited.pk)]}
    )
    invited.refresh_from_db()
    assert invited.revoked_at is not None
