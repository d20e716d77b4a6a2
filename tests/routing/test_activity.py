"""Activity is what was billed; the log adds tokens, and its losses change no sum."""

import datetime as dt
import uuid

import pytest
from django.utils import timezone

from accounts.timeids import DAY
from billing.models import Charge, Lease
from routing import activity
from tests import factories
from tests.routing.test_planner import channel, install

pytestmark = pytest.mark.django_db
TODAY = dt.datetime.now(dt.UTC).date()
ENDPOINT = "one:openai/m"


@pytest.fixture
def account():
    made = factories.account_of(factories.user("alice"))
    factories.give(made, 10**10)
    return made


def billed(account, request_id, cost_nusd, *, endpoint=ENDPOINT):
    lease = Lease.objects.create(worker=uuid.uuid4(), wallet_id=account.pk, amount_nusd=10**9,
                                 created_at=timezone.now())  # fmt: skip
    Charge.objects.create(
        request_id=request_id, lease_id=lease.pk, wallet_id=account.pk, hold_nusd=10**9,
        cost_nusd=cost_nusd, endpoint=endpoint, state="settled", reason="normal",
    )  # fmt: skip


def rows(account):
    return activity.rows(account.pk, days=activity.window(TODAY))


def test_the_window_is_today_and_the_days_before():
    days = activity.window(TODAY)
    assert (len(days), days[-1], days[0]) == (30, TODAY, TODAY - 29 * DAY)


def test_a_day_of_an_endpoint_is_one_row(account):
    install(channel("one"))
    for _ in range(2):
        request = factories.request(account, endpoint=ENDPOINT, input_tokens=5, output_tokens=7,
                                    cache_read_tokens=2, reasoning_tokens=3)  # fmt: skip
        billed(account, request, 100)
    assert rows(account) == [
        {
            "date": TODAY.isoformat(), "model": "openai/m", "model_permaslug": "openai/m",
            "endpoint_id": ENDPOINT, "provider_name": "OpenAI", "requests": 2, "usage": 2e-7,
            "usage_usd": "0.0000002", "byok_usage_inference": 0, "prompt_tokens": 14,
            "completion_tokens": 20, "reasoning_tokens": 6,
        }
    ]  # fmt: skip


def test_a_lost_row_of_the_log_costs_what_it_costs(account):
    install(channel("one"))
    billed(account, uuid.UUID(int=factories.request(account, endpoint="x").int + 1), 100)
    (row,) = rows(account)
    assert (row["requests"], row["usage_usd"], row["prompt_tokens"]) == (1, "0.0000001", 0)


def test_an_endpoint_that_is_gone_keeps_its_costs(account):
    billed(account, factories.request(account, endpoint=ENDPOINT), 100)
    (row,) = rows(account)
    assert (row["endpoint_id"], row["model"], row["provider_name"]) == (ENDPOINT, None, None)
    assert row["usage_usd"] == "0.0000001"


def test_another_account_sees_nothing(account):
    billed(account, factories.request(account, endpoint=ENDPOINT), 100)
    mallory = factories.account_of(factories.user("mallory"))
    factories.request(mallory, endpoint=ENDPOINT)
    assert rows(mallory) == []
