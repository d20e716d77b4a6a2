"""The page of one request: who may read it, what it cost and why, what went wrong."""

import datetime as dt
import uuid

import pytest
from django.test import Client
from django.urls import reverse

from accounts import keys
from billing.models import Attempt, Rate, RateCard
from tests import factories
from tests.bananarouter.requests.charging import charge
from tests.bananarouter.test_pages import QUERIES_MAX, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def card():
    made = RateCard.objects.create(
        endpoint="demo:demo/banana", valid_from=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), source="t"
    )
    prices = {"input": 2_625_000_000, "output": 10_500_000_000}
    for unit_class, price in prices.items():
        Rate.objects.create(
            card=made, unit_class=unit_class, unit="mtok",
            nusd_per_unit=price, vendor_nusd_per_unit=price // 2,
        )  # fmt: skip
    return made


@pytest.mark.clause("5-access")
def test_members_read_a_request_and_others_do_not_learn_that_it_exists(client, account):
    request_id = factories.request(account)
    url = reverse("request", args=[request_id])
    assert client.get(url).status_code == 200

    bob = factories.user("bob")
    factories.join(bob, account, "admin")
    for name, person, status in (("bob", bob, 200), ("mallory", factories.user("mallory"), 404)):
        other = Client()
        other.force_login(person)
        assert other.get(url).status_code == status, name
    assert Client().get(url).status_code == 302


def test_a_developer_reads_the_requests_of_own_keys_only(account, alice, looking):
    bob, other = looking("developer")
    made = {person: keys.mint(account=account, created_by=person, name="k")[0]
            for person in (alice, bob)}  # fmt: skip
    ids = {person: factories.request(account, api_key_id=key.pk) for person, key in made.items()}
    assert other.get(reverse("request", args=[ids[bob]])).status_code == 200
    assert other.get(reverse("request", args=[ids[alice]])).status_code == 404
    without_key = factories.request(account)
    assert other.get(reverse("request", args=[without_key])).status_code == 404


@pytest.mark.parametrize("role", ["admin", "billing"])
def test_admin_and_billing_read_every_request(role, account, looking):
    _, other = looking(role)
    assert other.get(reverse("request", args=[factories.request(account)])).status_code == 200


def test_an_unknown_request_is_not_found(client):
    assert client.get(reverse("request", args=[uuid.uuid4()])).status_code == 404


def test_tokens_times_prices_make_the_charge(client, account, card):
    request_id = factories.request(account, input_tokens=12, output_tokens=30, cost_nusd=346_500)
    charge(request_id, account, cost_nusd=346_500, rate_card=card.pk)
    response = client.get(reverse("request", args=[request_id]))
    story = response.context["story"]
    assert story.is_itemized
    assert sum(line.amount_nusd for line in story.lines) == 346_500
    page = text_of(response)
    for shown in ("$2.625", "$10.50", "$0.0000315", "$0.000315", "$0.0003465"):
        assert shown in page
    # The vendor's price is the platform's business.
    assert "$1.3125" not in page


def test_lines_that_do_not_explain_the_charge_show_no_prices(client, account, card):
    request_id = factories.request(account, cost_nusd=400_000)
    charge(request_id, account, cost_nusd=400_000, rate_card=card.pk)
    story = client.get(reverse("request", args=[request_id])).context["story"]
    assert not story.is_itemized
    assert [line.amount_nusd for line in story.lines] == [None, None]


def test_a_class_without_a_price_is_no_failure(client, account, card):
    request_id = factories.request(account, reasoning_tokens=5)
    charge(request_id, account, cost_nusd=1, rate_card=card.pk)
    response = client.get(reverse("request", args=[request_id]))
    assert response.status_code == 200
    assert not response.context["story"].is_itemized


def test_the_ending_and_the_attempts_are_told(client, account):
    request_id = factories.request(account, is_estimated=True)
    charge(request_id, account, cost_nusd=317_000, state="estimated", reason="client_gone")
    for n, outcome in ((1, "timeout"), (2, "delivered")):
        Attempt.objects.create(
            request_id=request_id, n=n, endpoint="demo:demo/banana", outcome=outcome
        )
    page = text_of(client.get(reverse("request", args=[request_id])))
    assert "You closed the connection. Only what was delivered" in page
    assert "estimated" in page
    assert page.index("took too long") < page.index("answered")


def test_a_refusal_says_what_to_do(client, account):
    request_id = factories.request(
        account, status=402, error_code="insufficient_credit", vendor=None, endpoint=None,
        finish_reason=None, first_byte_ms=None, cost_nusd=0,
    )  # fmt: skip
    page = text_of(client.get(reverse("request", args=[request_id])))
    assert "Lower max_tokens" in page
    assert "None: the request was refused" in page
    assert "Failed after" in page
    assert "No vendor was asked" in page
    assert "Dispute" not in page


def test_a_story_stays_within_its_queries(client, account, card, django_assert_max_num_queries):
    request_id = factories.request(account, cost_nusd=346_500)
    charge(request_id, account, cost_nusd=346_500, rate_card=card.pk)
    with django_assert_max_num_queries(QUERIES_MAX):
        client.get(reverse("request", args=[request_id]))
