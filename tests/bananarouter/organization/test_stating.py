"""Country and owners of an account: stated later, renewed, corrected, asked for while it is due."""

import datetime as dt
import re

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import owners, roles, territories
from accounts.models import Account, Change, Membership
from bananarouter.pages import attention
from tests import factories

pytestmark = pytest.mark.django_db
Role = Membership.Role
NOW = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
NEVER = {
    "country": "",
    "country_attested_at": None,
    "ownership_attested_at": None,
    "ownership_denied_at": None,
}


@pytest.fixture
def alice():
    return factories.user("alice")


def said(account) -> dict:
    return Account.objects.values(*NEVER).get(pk=account.pk)


def text_of(response) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


def page_of(client, name="organization_territory") -> str:
    return text_of(client.get(reverse(name)))


def state(client, **fields):
    return client.post(reverse("organization_territory"), fields)


# The form


@pytest.mark.usefixtures("openai_on_offer")
@pytest.mark.parametrize(
    ("answer", "stated", "other"),
    [
        ("none", "ownership_attested_at", "ownership_denied_at"),
        ("some", "ownership_denied_at", "ownership_attested_at"),
    ],
)
def test_what_is_stated_is_recorded_with_its_time(alice, acme, client_of, answer, stated, other):
    before, client = timezone.now(), client_of(alice)
    response = state(client, country="FR", owners=answer)
    assert response["Location"] == reverse("organization")
    found = said(acme)
    assert found["country"] == "FR"
    assert before <= found["country_attested_at"] == found[stated] <= timezone.now()
    assert found[other] is None
    page = page_of(client, "organization")
    assert "What you state is recorded, with its time." in page
    assert "France" in page
    assert f"{found[stated]:%Y-%m-%d %H:%M:%S} UTC" in page
    assert ("or you are not sure" in page) == (answer == "some")
    assert said(alice.accounts.exclude(pk=acme.pk).get()) == NEVER


@pytest.mark.usefixtures("openai_on_offer")
def test_sent_twice_it_is_stated_once_and_later(alice, acme, client_of):
    client = client_of(alice)
    responses = [state(client, country="FR", owners="none") for _ in range(2)]
    assert [response.status_code for response in responses] == [302, 302]
    found = said(acme)
    assert (found["country"], found["ownership_denied_at"]) == ("FR", None)


@pytest.mark.usefixtures("openai_on_offer")
def test_it_is_corrected_and_renewed(alice, acme, client_of):
    owners.state_territory(acme, country="FR", attests_ownership=True, now=NOW)
    client = client_of(alice)
    form = client.get(reverse("organization_territory")).context["form"]
    assert (form["country"].value(), form["owners"].value()) == ("FR", None)  # asked anew
    state(client, country="CN", owners="some")
    found = said(acme)
    assert (found["country"], found["ownership_attested_at"]) == ("CN", None)
    assert found["country_attested_at"] == found["ownership_denied_at"] > NOW
    page = page_of(client)
    assert "Vendors on offer that do not sell there: OpenAI." in page
    assert "no request is refused for it yet" in page


@pytest.mark.usefixtures("openai_on_offer")
@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"country": "XX", "owners": "none"}, "Select a valid choice"),
        ({"country": "fr", "owners": "none"}, "Select a valid choice"),
        ({"country": "", "owners": "none"}, "This field is required."),
        ({"country": "FR"}, "Choose one of the two."),
        ({"country": "FR", "owners": "maybe"}, "Select a valid choice"),
        ({}, "This field is required."),
    ],
)
def test_what_is_wrong_is_told_and_nothing_recorded(alice, acme, client_of, fields, told):
    response = state(client_of(alice), **fields)
    assert response.status_code == 200
    assert told in text_of(response)
    assert said(acme) == NEVER


def test_without_a_vendor_that_asks_only_the_country_may_be_said(alice, acme, client_of):
    owners.state_territory(acme, country="DE", attests_ownership=True, now=NOW)
    client = client_of(alice)
    page = page_of(client)
    assert "No vendor on offer excludes a country now." in page
    assert 'name="owners"' not in page
    state(client, country="", owners="some")
    assert said(acme) == {**NEVER, "ownership_attested_at": NOW}


def test_the_database_holds_one_of_the_two(acme):
    both = {"ownership_attested_at": NOW, "ownership_denied_at": NOW}
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.filter(pk=acme.pk).update(**both)
    assert said(acme) == NEVER


def test_every_worker_hears_of_it(acme):
    owners.state_territory(acme, country="DE", attests_ownership=None, now=NOW)
    told = Change.objects.filter(topic=Change.Topic.ACCOUNT, ref=str(acme.pk))
    assert told.exists()


# Who may


@pytest.mark.usefixtures("openai_on_offer")
@pytest.mark.parametrize("role", Role.values)
def test_owners_and_admins_state_it_and_nobody_else_sees_it(acme, client_of, role):
    may = roles.may_change_account(role)
    client = client_of(factories.user("bob"), role)
    assert client.get(reverse("organization_territory")).status_code == (200 if may else 403)
    for name in ("organization", "overview"):
        assert (reverse("organization_territory") in page_of(client, name)) == may
    response = state(client, country="FR", owners="none")
    assert response.status_code == (302 if may else 403)
    assert (said(acme) != NEVER) == may


@pytest.mark.usefixtures("openai_on_offer")
def test_a_stranger_states_it_of_an_own_account_only(acme):
    mallory = factories.user("mallory")
    client = Client()
    assert state(client, country="FR", owners="none").status_code == 302  # to the log-in
    client.force_login(mallory)
    client.post(reverse("switch_account"), {"account": str(acme.public_id)})
    state(client, country="FR", owners="none", account=str(acme.public_id))
    assert said(acme) == NEVER
    assert said(factories.account_of(mallory))["country"] == "FR"


# The line on the overview


def notes(account) -> list[str]:
    account.refresh_from_db()
    return [note.label for note in attention.of_territory(account)]


@pytest.mark.usefixtures("openai_on_offer")
def test_the_overview_asks_until_both_are_stated(alice, acme, client_of):
    client = client_of(alice)
    assert "ask where you are and who owns the account" in page_of(client, "overview")
    owners.state_territory(acme, country="FR", attests_ownership=None, now=NOW)
    assert notes(acme) == ["Not stated"]  # of the owners nothing yet
    state(client, country="FR", owners="some")
    assert notes(acme) == []
    assert "ask where you are" not in page_of(client, "overview")


def test_nothing_is_asked_while_no_vendor_needs_it(alice, acme, client_of):
    assert not territories.is_due(acme)
    assert "ask where you are" not in page_of(client_of(alice), "overview")


@pytest.mark.usefixtures("openai_on_offer")
def test_a_demo_account_is_never_asked(acme):
    assert territories.is_due(acme)
    acme.is_demo = True
    assert not territories.is_due(acme)


@pytest.mark.usefixtures("openai_on_offer")
def test_it_stands_among_what_needs_attention_of_a_busy_account(
    desk, django_assert_max_num_queries
):
    desk.request()
    client = Client()
    client.force_login(desk.person)
    with django_assert_max_num_queries(12):
        page = page_of(client, "overview")
    assert page.count("Needs attention") == 1
    assert reverse("organization_territory") in page
