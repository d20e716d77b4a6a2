"""Figures are kept apart as asked, and their sum is the ledger's whatever is asked."""

import datetime as dt
import random

import pytest
from django.utils import timezone

from accounts.models import ApiKey
from accounts.timeids import DAY
from bananarouter.pages.usage import names
from bananarouter.pages.usage.choices import Grouping, Measure, Period
from bananarouter.pages.usage.report import build
from billing import ledger
from billing.models import Wallet
from tests import factories

pytestmark = pytest.mark.django_db


def week():
    today = timezone.now().date()
    return Period(since=today - 6 * DAY, until=today + DAY)


def report(desk, grouping, **asked):
    return build(desk.account.pk, period=asked.pop("period", week()), grouping=grouping, **asked)


def told(found):
    return {
        found.groups[ident].name: (figures.spend_nusd, figures.requests)
        for ident, figures in found.by_group.items()
    }


def test_a_request_is_in_the_group_of_its_key_member_center_model_and_vendor(desk):
    bob = factories.user("bob")
    web = desk.key("web", cost_center="sales")
    batch = desk.key("batch", by=bob)
    desk.request(key=web, cost_nusd=5)
    desk.request(key=batch, cost_nusd=7, model="x/y", endpoint="gone:x/y", vendor="acme")
    desk.request(cost_nusd=11)
    desk.close()
    wanted = {
        Grouping.KEY: {"web": (5, 1), "batch": (7, 1), "Unknown key": (11, 1)},
        Grouping.MEMBER: {"alice": (5, 1), "bob": (7, 1), "Nobody who is known": (11, 1)},
        Grouping.COST_CENTER: {"sales": (5, 1), "Without a cost center": (18, 2)},
        Grouping.MODEL: {"demo/banana": (16, 2), "x/y": (7, 1)},
        # The channel is gone, so nobody knows who took the money of that one.
        Grouping.VENDOR: {"acme": (16, 1), "demo": (0, 2), "No vendor": (7, 0)},
    }
    for grouping, groups in wanted.items():
        assert told(report(desk, grouping)) == groups, grouping


def test_keys_of_the_playground_are_one_group(desk):
    for name in ("a", "b"):
        key = desk.key(name, purpose=ApiKey.Purpose.PLAYGROUND)
        desk.request(key=key, cost_nusd=5)
    assert told(report(desk, Grouping.KEY)) == {"Playground": (10, 2)}


def test_two_keys_of_one_name_are_two_groups(desk):
    for _ in range(2):
        desk.request(key=desk.key("same"), cost_nusd=5)
    found = report(desk, Grouping.KEY)
    assert len(found.groups) == 2
    assert len({group.note for group in found.groups.values()}) == 2


def test_what_carries_no_label_is_told_apart_so_that_the_total_is_whole(desk):
    desk.request(cost_nusd=5, tag="web")
    desk.request(cost_nusd=7, tag="web", end_user="a" * 32)
    desk.request(cost_nusd=11)
    tags, users = report(desk, Grouping.TAG), report(desk, Grouping.END_USER)
    assert told(tags) == {"web": (12, 2), "Without a tag": (11, 1)}
    assert told(users) == {"a" * 32: (7, 1), "Without an end user": (16, 2)}
    assert tags.total.spend_nusd == users.total.spend_nusd == 23


def test_too_many_labels_are_one_more_group(desk):
    for number in range(1, 5):
        desk.request(cost_nusd=number, tag=f"t{number}")
    found = report(desk, Grouping.TAG, labels_max=2)
    assert told(found) == {
        "t4": (4, 1), "t3": (3, 1), "All others": (3, 2), "Without a tag": (0, 0),
    }  # fmt: skip
    assert found.ranked(Measure.SPEND)[-2:] in ([names.OTHERS, ""], ["", names.OTHERS])


def test_only_some_keys_are_reported_on_when_asked(desk):
    mine, theirs = desk.key("mine"), desk.key("theirs")
    desk.request(key=mine, cost_nusd=5)
    desk.request(key=theirs, cost_nusd=7)
    assert told(report(desk, Grouping.KEY, key_ids=[mine.pk])) == {"mine": (5, 1)}
    assert told(report(desk, Grouping.KEY, key_ids=[])) == {}


def test_the_largest_group_comes_first_by_what_is_measured(desk):
    small, large = desk.key("small"), desk.key("large")
    desk.request(key=large, cost_nusd=50)
    for _ in range(3):
        desk.request(key=small, cost_nusd=1, status=500)
    found = report(desk, Grouping.KEY)
    assert found.ranked(Measure.SPEND) == [str(large.pk), str(small.pk)]
    assert found.ranked(Measure.ERRORS) == [str(small.pk), str(large.pk)]


def test_another_accounts_requests_are_not_reported(desk):
    factories.request(factories.account_of(factories.user("mallory")), cost_nusd=9, tag="x")
    assert report(desk, Grouping.TAG).cells == {}


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happened_every_grouping_adds_up_to_the_ledger(desk, seed):
    """Random requests, some of them on live leases; spent alike however it is kept apart."""
    dice = random.Random(seed)
    keys = [desk.key(f"k{n}", cost_center=dice.choice(["", "a", "b"])) for n in range(3)]
    now = timezone.now()
    for number in range(60):
        desk.request(
            key=dice.choice([*keys, None]),
            cost_nusd=dice.choice([0, 1, 999, 10**9 + 1]),
            at=now - dt.timedelta(hours=dice.randrange(6 * 24)),
            model=dice.choice(["a/m", "b/m", None]),
            endpoint=dice.choice(["demo:a/m", "gone:b/m"]),
            status=dice.choice([200, 200, 429]),
            tag=dice.choice(["web", "batch", None]),
            end_user=dice.choice(["a" * 32, None]),
        )
        if number % 17 == 16:
            desk.close()
    spent_nusd = sum(
        value or 0 for value in desk.account.wallet.leases.values_list("spent_nusd", flat=True)
    )
    assert Wallet.objects.get(pk=desk.account.pk).debit_nusd == spent_nusd > 0
    reports = [report(desk, grouping) for grouping in Grouping]
    for found in reports:
        total = found.total
        assert found.spending.ledger.is_equal
        assert total.spend_nusd == spent_nusd + found.spending.live_nusd
        assert total.requests == 60
    assert reports[0].spending.live_nusd > 0
    assert ledger.audit() == []


def test_a_report_asks_four_queries_at_most(desk, django_assert_max_num_queries):
    desk.request(key=desk.key("web"), tag="web")
    for grouping in Grouping:
        with django_assert_max_num_queries(4):
            report(desk, grouping)
