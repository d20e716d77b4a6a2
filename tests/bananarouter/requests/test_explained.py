"""Every charge, 402 and 429 in words: what was held and paid, which limit, until when."""

import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts import keys
from accounts.timeids import uuid7
from bananarouter.pages.requests import explained, stories
from billing import ledger, windows
from billing.models import Attempt, Budget, Charge, Lease
from logs.models import RequestLog
from routing.error_codes import TABLE, Code
from routing.models import Channel
from tests import factories
from tests.bananarouter.requests.charging import charge
from tests.bananarouter.test_pages import QUERIES_MAX, text_of

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 25, 15, tzinfo=dt.UTC)  # a Wednesday


def story_of(request_id) -> stories.Story:
    account_ids = RequestLog.objects.values_list("account_id", flat=True)
    row = stories.found(request_id, account_ids=account_ids)
    return stories.tell(row, key=stories.key_of(row))


def refused(account, code, **fields) -> stories.Story:
    status = 402 if code in {Code.INSUFFICIENT_CREDIT, Code.KEY_LIMIT, Code.COST_CAP} else 429
    return story_of(
        factories.request(
            account, status=status, error_code=code.value, vendor=None, endpoint=None, cost_nusd=0,
            **fields,
        )
    )  # fmt: skip


def amounts(story) -> dict[str, int]:
    return {str(step.name): step.amount_nusd for step in explained.charge(story)}


# Charges


def test_a_normal_charge_says_what_was_held_charged_and_released(account):
    request_id = factories.request(account)
    charge(request_id, account, cost_nusd=317_000, checkpoint_nusd=200_000)
    story = story_of(request_id)
    assert amounts(story) == {"Held": 900_000, "Charged": 317_000, "Released": 583_000}
    assert story.paid_nusd == 317_000
    assert story.is_closed


def test_a_request_in_flight_says_what_it_holds(client, account):
    request_id = factories.request(account, cost_nusd=0)
    charge(request_id, account, state="open", reason=None, checkpoint_nusd=5_000)
    story = story_of(request_id)
    assert amounts(story) == {"Held": 900_000, "Checkpoint": 5_000}
    assert not story.is_closed
    page = text_of(client.get(reverse("request", args=[request_id])))
    assert "in flight" in page
    assert "so far" in page
    assert "Dispute this charge" not in page


def test_a_crash_is_paid_at_its_checkpoint_and_corrected_when_the_truth_comes(account):
    factories.give(account, 10**9)
    request_id = factories.request(account)
    charge(
        request_id, account, cost_nusd=200_000, checkpoint_nusd=200_000, state="estimated",
        reason="crash",
    )  # fmt: skip
    before = story_of(request_id)
    assert amounts(before)["Checkpoint"] == 200_000
    assert before.paid_nusd == 200_000
    ledger.correct(request_id=request_id, cost_nusd=150_000, actor="tests")
    after = story_of(request_id)
    assert amounts(after)["Correction"] == -50_000
    assert after.paid_nusd == 150_000
    assert "Goodwill" not in amounts(after)


def goodwill(account, *, lease_state, corrected=False):
    factories.give(account, 10**9)
    lease = Lease.objects.create(
        worker=uuid7(), wallet_id=account.pk, amount_nusd=10**6, state=lease_state,
        created_at=NOW, spent_nusd=0 if lease_state == "closed" else None,
    )  # fmt: skip
    request_id = factories.request(account, error_code="stream_interrupted")
    made = charge(request_id, account, cost_nusd=100_000, reason="goodwill", corrected=corrected)
    Charge.objects.filter(pk=made.pk).update(lease_id=lease.pk)
    return story_of(request_id)


def test_goodwill_that_was_given_costs_nothing(account):
    story = goodwill(account, lease_state="closed", corrected=True)
    assert amounts(story)["Goodwill"] == -100_000
    assert story.paid_nusd == 0
    assert not story.may_be_disputed


def test_goodwill_that_is_not_decided_yet_says_so(account):
    story = goodwill(account, lease_state="active")
    assert "Decided within a minute" in explained.charge(story)[-1].text
    assert story.paid_nusd == 100_000
    assert not story.is_closed


def test_goodwill_above_the_days_amount_says_why_not(
    client, account, settings, django_assert_max_num_queries
):
    settings.GOODWILL_NUSD_PER_DAY = 1_000_000_000
    story = goodwill(account, lease_state="closed")
    with django_assert_max_num_queries(QUERIES_MAX):
        client.get(reverse("request", args=[story.row.request_id]))
    assert "up to $1.00 a day" in explained.charge(story)[-1].text
    assert story.is_closed
    assert story.may_be_disputed


# Limits


@pytest.fixture
def key(account, alice):
    return keys.mint(account=account, created_by=alice, name="production")[0]


@pytest.mark.parametrize(
    ("period", "told"),
    [
        ("total", "Limit: $2.00 in total, which does not start over."),
        ("daily", "Limit: $2.00, which starts over on 2026-11-26 at 0:00 UTC."),
        ("weekly", "Limit: $2.00, which starts over on 2026-11-30 at 0:00 UTC."),
        ("monthly", "Limit: $2.00, which starts over on 2026-12-01 at 0:00 UTC."),
    ],
)
def test_a_keys_money_limit_says_how_much_and_until_when(period, told, account, key):
    begun = windows.start(period, NOW)
    Budget.objects.create(api_key=key, period=period, period_start=begun, limit_nusd=2_000_000_000)
    found = explained.limit(refused(account, Code.KEY_LIMIT, api_key_id=key.pk), now=NOW)
    assert found.text == f"A money limit of the key was reached. {told}"
    assert found.url_name == "keys"


def test_a_rate_limit_says_the_limit_of_this_key(account, key, settings):
    settings.KEY_REQUESTS_PER_MINUTE, settings.IP_REQUESTS_PER_MINUTE = 600, 900
    story = refused(account, Code.RATE_LIMITED, api_key_id=key.pk)
    assert "600 requests a minute" in explained.limit(story, now=NOW).text
    type(account).objects.filter(pk=account.pk).update(requests_per_minute_max=50)
    story = refused(account, Code.RATE_LIMITED, api_key_id=key.pk)
    assert "50 requests a minute" in explained.limit(story, now=NOW).text
    type(key).objects.filter(pk=key.pk).update(requests_per_minute_max=7)
    story = refused(account, Code.RATE_LIMITED, api_key_id=key.pk)
    assert "A key may make 7 requests a minute now, an address 900." in (
        explained.limit(story, now=NOW).text
    )


@pytest.mark.parametrize(
    "code",
    [Code.INSUFFICIENT_CREDIT, Code.IN_FLIGHT, Code.KEY_LIMIT, Code.COST_CAP, Code.RATE_LIMITED,
     Code.CONCURRENCY, Code.ABANDONED_COST, Code.UPSTREAM_RATE_LIMIT],
)  # fmt: skip
def test_every_limit_is_explained_on_the_page(code, client, account):
    story = refused(account, code)
    limit = explained.limit(story, now=timezone.now())
    page = client.get(reverse("request", args=[story.row.request_id])).content.decode()
    assert str(limit.text)[:40] in page.replace("&#x27;", "'")
    if limit.url_name:
        assert reverse(limit.url_name) in page


def test_no_402_or_429_is_without_its_explanation(account):
    """auth_failures has no account; 402 and 429 of the code table are all told."""
    codes = [code for code, row in TABLE.items() if row.status in {402, 429}]
    assert len(codes) > 6
    silent = [c for c in codes if explained.limit(refused(account, c), now=NOW) is None]
    assert silent == [Code.AUTH_FAILURES]


def test_another_failure_has_no_limit(account):
    story = story_of(factories.request(account, status=502, error_code="upstream_error"))
    assert explained.limit(story, now=NOW) is None


# Time and way


def spans(account, **fields):
    story = story_of(factories.request(account, **fields))
    found = explained.time(story)
    assert sum(span.length_ms for span in found) == story.row.total_ms
    return [(span.kind, span.start_ms, span.length_ms) for span in found]


def test_time_is_divided_without_gap(account):
    found = spans(account, sent_ms=12, first_byte_ms=210, total_ms=1_240, is_stream=True)
    assert found == [("queue", 0, 12), ("waiting", 12, 198), ("streaming", 210, 1_030)]
    # A row of before `sent_ms` was kept; a request that nobody answered; clocks that disagree.
    assert spans(account, sent_ms=None)[0] == ("waiting", 0, 210)
    assert spans(account, sent_ms=None, first_byte_ms=None, total_ms=3) == [("waiting", 0, 3)]
    assert spans(account, sent_ms=40, first_byte_ms=30, total_ms=35)[0] == ("queue", 0, 35)


def test_the_speed_of_a_stream_is_told_where_it_can_be(account):
    fields = {"first_byte_ms": 240, "total_ms": 1_240, "output_tokens": 40, "reasoning_tokens": 2}
    assert story_of(factories.request(account, is_stream=True, **fields)).tokens_per_s == 42
    assert story_of(factories.request(account, **fields)).tokens_per_s is None
    short = {**fields, "total_ms": 250}
    assert story_of(factories.request(account, is_stream=True, **short)).tokens_per_s is None


def way(account, attempts=(), **fields) -> str:
    request_id = factories.request(account, **fields)
    for n, (endpoint, outcome) in enumerate(attempts, start=1):
        Attempt.objects.create(request_id=request_id, n=n, endpoint=endpoint, outcome=outcome)
    return " ".join(map(str, explained.routing(story_of(request_id))))


def test_why_this_vendor_is_told_as_far_as_it_is_kept(account, key):
    Channel.objects.create(
        name="demo", vendor="demo", protocol="openai-chat", base_url="https://example.com"
    )
    assert "first in order" in (told := way(account, surface="chat"))
    assert "speaks the protocol of your request (OpenAI)" in told
    assert "It speaks another protocol (OpenAI)" in way(account, surface="messages")
    fallback = [("other:demo/banana", "timeout"), ("demo:demo/banana", "delivered")]
    assert "The vendors before it failed" in way(account, fallback)
    assert "none of them answered well" in way(account, status=502, error_code="upstream_error")
    assert way(account, endpoint=None, vendor=None).startswith("No vendor was asked")
    type(key).objects.filter(pk=key.pk).update(allowed_jurisdictions=["US", "EU"])
    assert "under the law of US, EU" in way(account, api_key_id=key.pk)
