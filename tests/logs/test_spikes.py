"""Unusual spending: told once a day, and only when it is far above what the account does."""

import datetime as dt

import pytest

from accounts import owners
from accounts.models import Notification
from logs import spikes
from logs.models import UsageHour

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 26, 12, 30, tzinfo=dt.UTC)
HOUR = NOW.replace(minute=0)
USD = 1_000_000_000


@pytest.fixture
def account():
    return owners.own_account(owners.register(email="alice@example.com"))


def spend(account, usd, *, hours_ago=0, model="a/b") -> None:
    UsageHour.objects.create(
        account_id=account.pk, hour=HOUR - dt.timedelta(hours=hours_ago), model=model,
        cost_nusd=usd * USD,
    )  # fmt: skip


def habit(account, usd=2) -> None:
    for hours_ago in range(1, 40):
        spend(account, usd, hours_ago=hours_ago)


@pytest.mark.clause("2-notify-security")
def test_spending_far_above_the_habit_is_told_once_a_day(account):
    habit(account)
    spend(account, 10)
    assert spikes.watch(now=NOW) == 0  # five times the usual is not above it
    spend(account, 1, model="a/c")  # the sum over models is what counts
    assert spikes.watch(now=NOW) == 1
    assert spikes.watch(now=NOW + dt.timedelta(minutes=5)) == 0
    told = Notification.objects.get()
    assert (told.name, told.facts["spent"], told.facts["usual"]) == (
        "unusual_spend", "$11.00", "$2.00",
    )  # fmt: skip


def test_an_account_without_a_day_of_habit_is_left_alone(account):
    for hours_ago in range(1, 20):
        spend(account, 1, hours_ago=hours_ago)
    spend(account, 100)
    assert spikes.watch(now=NOW) == 0


def test_small_money_is_no_news(account):
    spend(account, 0, hours_ago=48)
    spend(account, 5)
    assert spikes.watch(now=NOW) == 0
    spend(account, 1, model="a/c")
    assert spikes.watch(now=NOW) == 1


def test_one_expensive_hour_before_does_not_hide_it(account):
    habit(account)
    UsageHour.objects.filter(hour=HOUR - dt.timedelta(hours=5)).update(cost_nusd=500 * USD)
    spend(account, 11)
    assert spikes.watch(now=NOW) == 1


@pytest.mark.parametrize(
    ("costs", "of", "expected"),
    [([], 24, 0), ([7], 1, 7), ([5] * 10, 100, 5), ([5] * 5, 100, 0), ([1, 9], 20, 1)],
)
def test_the_percentile_counts_hours_without_cost(costs, of, expected):
    assert spikes.percentile(costs, of=of) == expected
