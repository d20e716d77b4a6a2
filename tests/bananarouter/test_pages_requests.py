"""The list of requests, its filters, pages and CSV, and the story of one request."""

import csv
import datetime as dt
import uuid

import pytest
from django.test import Client
from django.urls import reverse

from bananarouter.pages import activity
from billing.models import Attempt, Charge, Rate, RateCard
from tests import factories
from tests.bananarouter.test_pages import QUERIES_MAX, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return factories.user("alice")


@pytest.fixture
def account(alice):
    return factories.account_of(alice)


@pytest.fixture
def client(alice):
    client = Client()
    client.force_login(alice)
    return client


def ids(response) -> list[uuid.UUID]:
    return [row.request_id for row in response.context["rows"]]


def test_the_newest_come_first_and_only_of_this_account(client, account):
    made = [factories.request(account) for _ in range(3)]
    factories.request(factories.account_of(factories.user("mallory")))
    assert ids(client.get(reverse("requests"))) == made[::-1]


def test_no_request_leads_to_the_first_one(client):
    assert "No requests yet" in text_of(client.get(reverse("requests")))


def test_filters_by_result_and_model(client, account):
    good = factories.request(account)
    bad = factories.request(account, status=504, error_code="upstream_timeout")
    other = factories.request(account, model="demo/peel")
    page = reverse("requests")
    assert ids(client.get(page, {"status": "ok"})) == [other, good]
    assert ids(client.get(page, {"status": "failed"})) == [bad]
    assert ids(client.get(page, {"model": "demo/peel"})) == [other]
    assert ids(client.get(page, {"model": "demo/peel", "status": "failed"})) == []
    nothing = text_of(client.get(page, {"model": "demo/none"}))
    assert "Nothing matches" in nothing
    assert "Show all requests" in nothing


@pytest.mark.parametrize(
    "query", ["?status=%27%20OR%201", "?before=x", "?before=", "?model=%00%FF", "?status[]=1"]
)
def test_a_filter_that_makes_no_sense_is_no_failure(query, client, account):
    factories.request(account)
    assert client.get(reverse("requests") + query).status_code == 200


def test_pages_follow_each_other_without_gap_or_repetition(client, account, monkeypatch):
    monkeypatch.setattr(activity, "PAGE_ROWS", 3)
    made = [
        factories.request(account, model="demo/peel" if n % 2 else "demo/banana") for n in range(16)
    ]
    url, seen = f"{reverse('requests')}?model=demo%2Fpeel", []
    for _ in range(10):
        response = client.get(url)
        seen += ids(response)
        if not response.context["older"]:
            break
        # A new request must not push rows onto the next page a second time.
        factories.request(account, model="demo/peel")
        url = f"{reverse('requests')}?{response.context['older']}"
    assert seen == made[1::2][::-1]


def test_a_full_list_stays_within_its_queries(client, account, django_assert_max_num_queries):
    for _ in range(activity.PAGE_ROWS + 5):
        factories.request(account)
    with django_assert_max_num_queries(QUERIES_MAX):
        response = client.get(reverse("requests"))
    assert len(ids(response)) == activity.PAGE_ROWS


def test_the_csv_has_the_filtered_rows_and_exact_costs(client, account):
    factories.request(account, status=402, error_code="insufficient_credit", cost_nusd=0)
    wanted = factories.request(account, cost_nusd=317)
    factories.request(factories.account_of(factories.user("mallory")))
    response = client.get(reverse("requests_csv"), {"status": "ok"})
    assert response["Content-Type"].startswith("text/csv")
    assert "attachment" in response["Content-Disposition"]
    (row,) = csv.DictReader(response.content.decode().splitlines())
    assert row["request_id"] == str(wanted)
    assert row["cost_usd"] == "0.000000317"
    assert row["error_code"] == ""
    assert row["is_stream"] == "false"
    assert dt.datetime.fromisoformat(row["created_at"]).utcoffset() == dt.timedelta()


def test_the_csv_is_bounded(client, account, monkeypatch):
    monkeypatch.setattr(activity, "CSV_ROWS_MAX", 2)
    for _ in range(3):
        factories.request(account)
    assert len(client.get(reverse("requests_csv")).content.decode().splitlines()) == 3


# The story of one request


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


def charge(request_id, account, **fields) -> Charge:
    return Charge.objects.create(
        request_id=request_id, lease_id=1, wallet_id=account.pk,
        **{"hold_nusd": 900_000, "state": "settled", "reason": "normal", **fields},
    )  # fmt: skip


def test_members_read_a_request_and_others_do_not_learn_that_it_exists(client, account):
    request_id = factories.request(account)
    url = reverse("request", args=[request_id])
    assert client.get(url).status_code == 200

    bob = factories.user("bob")
    factories.join(bob, account)
    for name, person, status in (("bob", bob, 200), ("mallory", factories.user("mallory"), 404)):
        other = Client()
        other.force_login(person)
        assert other.get(url).status_code == status, name
    assert Client().get(url).status_code == 302


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


def test_a_story_stays_within_its_queries(client, account, card, django_assert_max_num_queries):
    request_id = factories.request(account, cost_nusd=346_500)
    charge(request_id, account, cost_nusd=346_500, rate_card=card.pk)
    with django_assert_max_num_queries(QUERIES_MAX):
        client.get(reverse("request", args=[request_id]))
