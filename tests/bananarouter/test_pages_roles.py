"""The shell and roles: who gets a page, who is told why not, and where else one may look."""

import re

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts import keys, roles
from accounts.models import Membership
from bananarouter.pages import shell, words
from tests import factories

pytestmark = pytest.mark.django_db
NEEDS = {
    "overview": None,
    "keys": roles.may_see_requests,
    "key_new_management": roles.may_manage_keys,
    "key_new": roles.may_make_keys,
    "requests": roles.may_see_requests,
    "requests_csv": roles.may_see_requests,
}


@pytest.fixture
def alice():
    return factories.user("alice")


@pytest.fixture
def account(alice):
    return factories.account_of(alice)


@pytest.fixture
def looking(account):
    """Return `looking(role)`: a client of bob, who looks at alice's account in that role."""

    def enter(role: str) -> Client:
        bob = factories.user("bob")
        factories.join(bob, account, role)
        client = Client()
        client.force_login(bob)
        client.post(reverse("switch_account"), {"account": str(account.public_id)})
        return client

    return enter


@pytest.mark.parametrize("role", Membership.Role.values)
@pytest.mark.parametrize("name", NEEDS)
def test_a_role_gets_the_pages_that_it_may_see(name, role, looking):
    needs = NEEDS[name]
    response = looking(role).get(reverse(name))
    assert response.status_code == (200 if needs is None or needs(role) else 403)


def test_a_refused_role_is_told_its_role_and_whom_to_ask(account, looking):
    client = looking("billing")
    response = client.get(reverse("key_new"))
    page = re.sub(r"\s+", " ", response.content.decode())
    assert response.status_code == 403
    assert f"In “{account.name}” your role is billing" in page
    assert "Ask an owner or admin" in page
    assert "no-store" in response["Cache-Control"]
    assert client.post(reverse("key_new"), {"name": "sly"}).status_code == 403
    assert not account.api_keys.exists()


def test_a_role_counts_in_its_own_account_only(alice, account, looking):
    """Bob owns his account, and may not revoke a key of alice's by looking from his own."""
    key, _ = keys.mint(account=account, created_by=alice, name="production")
    client = looking("billing")
    own = client.get(reverse("overview")).context["shell"].accounts[0]
    client.post(reverse("switch_account"), {"account": str(own.public_id)})
    assert client.get(reverse("keys")).status_code == 200
    assert client.post(reverse("key_delete", args=[key.pk])).status_code == 404
    key.refresh_from_db()
    assert key.disabled_at is None


def test_the_shell_knows_the_role_in_the_chosen_account(account, looking):
    client = looking("admin")
    seen = client.get(reverse("overview")).context["shell"]
    assert (seen.account, seen.role) == (account, "admin")
    assert seen.may["manage_members"]
    assert not seen.may["own"]


def test_a_stranger_has_no_role():
    request = RequestFactory().get("/")
    request.user, request.session = None, {}
    assert shell.of(request).role == ""
    assert not any(shell.of(request).may.values())


def test_every_role_has_its_word():
    assert set(words.ROLES) == set(Membership.Role)
