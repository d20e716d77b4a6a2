"""Home, overview, keys, log-in: what members see, what others do not."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing.models import Rate, RateCard
from routing import catalogue
from routing.models import Channel, Endpoint, Model
from tests import factories

pytestmark = pytest.mark.django_db
PRIVATE = ["overview", "keys", "key_new", "requests", "requests_csv", "usage", "usage_csv"]
QUERIES_MAX = 12


@pytest.fixture
def alice():
    return factories.user("alice")


@pytest.fixture
def account(alice):
    return factories.account_of(alice)


@pytest.fixture
def client_of():
    def log_in(person) -> Client:
        client = Client()
        client.force_login(person)
        return client

    return log_in


@pytest.fixture
def demo_model():
    channel = Channel.objects.create(
        name="demo", vendor="demo", protocol="openai-chat", base_url="http://x/v1", is_demo=True
    )
    model = Model.objects.create(
        slug="demo/banana", author="demo", name="Banana", output_tokens_max=4_000
    )
    card = RateCard.objects.create(
        endpoint="demo:demo/banana", valid_from=timezone.now(), source="test"
    )
    Rate.objects.create(
        card=card, unit_class="output", unit="mtok", nusd_per_unit=1, vendor_nusd_per_unit=1
    )
    endpoint = Endpoint.objects.create(
        slug="demo:demo/banana", channel=channel, model=model, upstream_name="banana"
    )
    catalogue.refresh()
    return endpoint


def text_of(response) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


# Access


@pytest.mark.parametrize("name", PRIVATE)
def test_a_stranger_is_sent_to_log_in(name):
    response = Client().get(reverse(name))
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("name", PRIVATE)
def test_a_member_gets_the_page_uncached_and_within_its_queries(
    name, alice, client_of, django_assert_max_num_queries
):
    client = client_of(alice)
    with django_assert_max_num_queries(QUERIES_MAX):
        response = client.get(reverse(name))
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]


def test_a_user_without_an_account_is_told_so(client_of):
    person = factories.user("carol")
    person.memberships.all().delete()
    response = client_of(person).get(reverse("overview"))
    assert response.status_code == 403
    assert "You are in no account" in text_of(response)


def test_a_member_switches_to_the_shared_account_and_a_stranger_cannot(account, client_of):
    bob = factories.user("bob")
    factories.join(bob, account)
    client = client_of(bob)
    switch = reverse("switch_account")
    assert client.post(switch, {"account": str(account.public_id)}).status_code == 302
    assert client.get(reverse("overview")).context["shell"].account == account

    mallory = client_of(factories.user("mallory"))
    assert mallory.post(switch, {"account": str(account.public_id)}).status_code == 404
    assert mallory.get(reverse("overview")).context["shell"].account != account


def test_leaving_an_account_ends_the_view_of_it(account, client_of):
    bob = factories.user("bob")
    factories.join(bob, account)
    client = client_of(bob)
    client.post(reverse("switch_account"), {"account": str(account.public_id)})
    bob.memberships.filter(account=account).delete()
    assert client.get(reverse("overview")).context["shell"].account != account


# Home, overview


def test_home_shows_the_base_urls_of_this_host():
    page = text_of(Client().get("/"))
    assert page.count("http://testserver") >= 6
    assert "http://testserver/v1" in page
    assert "demo vendor" not in page


def test_a_new_account_is_led_to_its_first_call(alice, client_of):
    page = text_of(client_of(alice).get(reverse("overview")))
    assert "Make your first call" in page
    assert f'href="{reverse("welcome")}"' in page


def test_that_goes_once_a_request_was_made(alice, account, client_of):
    factories.request(account)
    assert "Make your first call" not in text_of(client_of(alice).get(reverse("overview")))


def test_only_a_demo_account_carries_the_demo_label(alice, client_of):
    demo = text_of(client_of(factories.user("dora", is_demo=True)).get(reverse("overview")))
    assert "simulated vendor" in demo
    assert "simulated vendor" not in text_of(client_of(alice).get(reverse("overview")))


# Log-in, staff


def test_signing_up_opens_an_account_and_the_way_to_a_first_call():
    client = Client()
    response = factories.sign_up(client, "eve")
    assert response["Location"] == reverse("account_email_verification_sent")
    assert client.get(reverse("overview")).status_code == 302
    response = factories.prove_address(client, "eve", follow=True)
    assert response.redirect_chain[-1][0] == reverse("welcome")
    assert "Your first call" in text_of(response)


@pytest.mark.parametrize("login", ["alice", "alice@example.com"])
def test_logging_in_by_name_or_address_and_out_again(login):
    factories.user("alice", password=factories.PASSWORD)
    client = Client()
    response = client.post(
        reverse("account_login"), {"login": login, "password": factories.PASSWORD}, follow=True
    )
    assert response.redirect_chain[-1][0] == reverse("overview")
    client.post(reverse("account_logout"))
    assert client.get(reverse("overview")).status_code == 302


def test_a_wrong_password_is_refused():
    factories.user("alice", password=factories.PASSWORD)
    response = Client().post(reverse("account_login"), {"login": "alice", "password": "wrong"})
    assert response.status_code == 200
    assert "errorlist" in text_of(response)


ALLAUTH = [
    "account_email", "account_change_password", "account_logout", "account_change_phone",
    "mfa_list_webauthn", "mfa_activate_totp", "usersessions_list", "socialaccount_connections",
    "account_reset_password", "account_password_reset_completed",
]  # fmt: skip


@pytest.mark.parametrize("name", ALLAUTH)
def test_allauths_pages_stand_in_our_layout(name, alice, client_of):
    response = client_of(alice).get(reverse(name), follow=True)
    assert response.status_code == 200
    page = text_of(response)
    assert "css/base.css" in page
    assert 'id="main"' in page


def test_staff_log_in_goes_through_allauth(client_of):
    staff = factories.user("sam", is_staff=True)
    response = Client().get(reverse("admin:index"), follow=True)
    assert response.redirect_chain[-1][0] == f"{reverse('account_login')}?next=/staff/"
    assert client_of(staff).get(reverse("staff_login"))["Location"] == reverse("admin:index")


def test_staff_log_in_leads_nowhere_else():
    response = Client().get(reverse("staff_login"), {"next": "https://evil.example/"})
    assert "evil" not in response["Location"]


def test_a_user_who_is_no_staff_is_told_so(alice, client_of):
    response = client_of(alice).get(reverse("admin:index"), follow=True)
    assert response.status_code == 403
    assert "You may not see this" in text_of(response)


def test_the_staff_site_wears_our_colors(client_of):
    staff = factories.user("sam", is_staff=True)
    assert "css/admin.css" in text_of(client_of(staff).get(reverse("admin:index")))
