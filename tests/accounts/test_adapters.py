"""Sign-up and log-in through allauth's own views; second factors at rest."""

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.hashers import make_password
from django.urls import reverse

from accounts import owners
from accounts.adapters import MFAAdapter
from accounts.models import Account, Membership, User
from bananarouter import sign_in_settings
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_hash_outside_of_the_tests_costs_what_django_asks(settings):
    settings.PASSWORD_HASHERS = sign_in_settings.PASSWORD_HASHERS
    assert make_password("x").startswith("argon2$argon2id$v=19$m=102400,t=2,p=8$")


@pytest.mark.clause("1.1-password")
def test_signing_up_makes_a_user_who_owns_an_account(client):
    assert factories.sign_up(client, "carol").status_code == 302
    user = User.objects.get(email="carol@example.com")
    membership = Membership.objects.get(user=user)
    assert membership.role == Membership.Role.OWNER
    assert not membership.account.is_demo
    assert "@" not in membership.account.name
    assert not user.is_staff
    assert user.password.startswith("argon2$argon2id$")


def test_signing_up_cannot_choose_privileges(client):
    wanted = dict.fromkeys(("is_staff", "is_superuser", "is_active", "phone_verified_at"), "on")
    factories.sign_up(client, "eve", **wanted)
    user = User.objects.get(email="eve@example.com")
    assert not user.is_staff
    assert not user.is_superuser
    assert user.phone_verified_at is None


def test_an_address_that_is_taken_makes_nobody_new(client):
    factories.user("carol")
    factories.sign_up(client, "other", email="carol@example.com")
    assert User.objects.count() == 1
    assert Account.objects.count() == 1


@pytest.mark.parametrize("login", ["carol@example.com", "carol", "Carol", "CAROL@example.com"])
def test_logs_in_by_address_or_username_and_out(client, login):
    factories.user("carol", password=factories.PASSWORD)
    client.post(reverse("account_login"), {"login": login, "password": "wrong"})
    assert "_auth_user_id" not in client.session
    client.post(reverse("account_login"), {"login": login, "password": factories.PASSWORD})
    assert client.session["_auth_user_id"] == str(User.objects.get().pk)
    client.post(reverse("account_logout"))
    assert "_auth_user_id" not in client.session


def test_the_configured_adapter_seals_totp_and_recovery_codes(alice):
    assert isinstance(get_adapter(), MFAAdapter)
    secret = generate_totp_secret()
    TOTP.activate(alice, secret)
    codes = RecoveryCodes.activate(alice)
    for row in Authenticator.objects.all():
        assert secret not in str(row.data)
        assert not any(code in str(row.data) for code in codes.get_unused_codes())
    stored = Authenticator.objects.get(type=Authenticator.Type.TOTP)
    assert get_adapter().decrypt(stored.data["secret"]) == secret


def test_registering_an_address_twice_is_one_user():
    first = owners.register(email="Dave@Example.com ")
    assert owners.register(email="dave@example.com").pk == first.pk
    assert first.email == "dave@example.com"
    assert not first.has_usable_password()
    assert owners.own_account(first).pk == owners.own_account(first).pk
    assert Account.objects.count() == 1


def test_an_operators_credit_never_lands_on_a_demo_account(alice):
    demo = owners.open_account(alice, is_demo=True)
    assert owners.own_account(alice).pk != demo.pk
