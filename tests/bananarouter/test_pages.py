"""Home, overview, keys, log-in: what members see, what others do not."""

import datetime as dt
import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing.models import Rate, RateCard
from routing.models import Channel, Endpoint, Model
from tests import factories

pytestmark = pytest.mark.django_db
PRIVATE = ["overview", "keys", "key_new", "requests", "requests_csv"]
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
    return Endpoint.objects.create(
        slug="demo:demo/banana", channel=channel, model=model, upstream_name="banana"
    )


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


def test_home_labels_the_demo(demo_model):
    assert "demo vendor" in text_of(Client().get("/"))


def test_overview_shows_the_balance_and_todays_sums(alice, account, client_of):
    factories.give(account, 12_400_000_000)
    now = timezone.now()
    factories.request(account, cost_nusd=20_000_000)
    factories.request(account, status=402, error_code="insufficient_credit", cost_nusd=0)
    factories.request(account, at=now - dt.timedelta(days=1), cost_nusd=70_000_000)
    factories.request(account, at=now - dt.timedelta(days=2), cost_nusd=900_000_000)
    factories.request(factories.account_of(factories.user("mallory")), cost_nusd=5_000_000_000)
    response = client_of(alice).get(reverse("overview"))
    today, yesterday = response.context["today"], response.context["yesterday"]
    assert (today.requests, today.errors, today.spent_nusd) == (2, 1, 20_000_000)
    assert (today.prompt_tokens, today.completion_tokens) == (24, 60)
    assert (yesterday.requests, yesterday.spent_nusd) == (1, 70_000_000)
    page = text_of(response)
    assert 'title="$12.4">$12.40<' in page
    assert "$0.02" in page
    assert "$5.00" not in page


def test_a_new_account_gets_three_steps_and_a_curl_line(demo_model, client_of):
    person = factories.user("dora", is_demo=True)
    factories.give(factories.account_of(person), 1_000_000_000)
    page = text_of(client_of(person).get(reverse("overview")))
    assert "Three steps to a first answer" in page
    assert "curl http://testserver/v1/chat/completions" in page
    assert "demo/banana" in page


def test_the_steps_go_once_a_request_was_made(alice, account, client_of):
    factories.request(account)
    assert "Three steps" not in text_of(client_of(alice).get(reverse("overview")))


def test_a_paying_account_is_not_offered_a_demo_model(alice, demo_model, client_of):
    page = text_of(client_of(alice).get(reverse("overview")))
    assert "demo/banana" not in page
    assert "No model can be reached" in page


def test_only_a_demo_account_carries_the_demo_label(alice, client_of):
    demo = text_of(client_of(factories.user("dora", is_demo=True)).get(reverse("overview")))
    assert "simulated vendor" in demo
    assert "simulated vendor" not in text_of(client_of(alice).get(reverse("overview")))


# Log-in, staff


def test_signing_up_opens_an_account_and_the_overview():
    client = Client()
    response = client.post(
        reverse("account_signup"),
        {
            "email": "eve@example.com", "username": "eve",
            "password1": factories.PASSWORD, "password2": factories.PASSWORD,
        },
        follow=True,
    )  # fmt: skip
    assert response.redirect_chain[-1][0] == reverse("overview")
    assert "Three steps to a first answer" in text_of(response)


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
    "account_email", "account_change_password", "account_logout", "mfa_index",
    "account_reset_password_done",
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
