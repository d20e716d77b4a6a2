import pytest
from django.contrib import admin
from django.urls import reverse

from accounts import keys, owners
from accounts.models import Account, ApiKey, Change, ChangeSequence, Membership, User

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


def test_every_model_is_registered():
    for model in (User, Account, ApiKey, Membership, Change, ChangeSequence):
        assert admin.site.is_registered(model)


@pytest.mark.parametrize("model", [User, Account, ApiKey, Membership, Change, ChangeSequence])
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
