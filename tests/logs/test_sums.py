"""The sums are those of the rows that stand, however often and however they were written."""

import datetime as dt
import random
import uuid
from collections import Counter

import pytest
from django.db.models import Sum

from accounts.timeids import DAY, bound, midnight, moment, uuid7
from logs import latency, partitions, queries, recorder, removal, sums
from logs.models import LabelHour, LatencyDay, RequestLog, UsageHour
from tests.logs.test_recorder import entry

TODAY = dt.date(2031, 3, 31)
USER = "0123456789abcdef" * 2
pytestmark = pytest.mark.django_db


def at(day, hour, n=0):
    """An id of that hour; `n` tells ids apart."""
    return uuid.UUID(int=bound(day).int + (hour * 3_600_000 << 80) + n)


def row(n=1, *, day=TODAY, hour=9, **changes):
    values = {"account_id": 7, "api_key_id": 3, "model": "a/m", "vendor": "v", **changes}
    return entry(request_id=at(day, hour, n), **values)


def summed():
    """All figures of the sums, and the same figures of the rows themselves."""
    names = ("cost_nusd", *sums.TOKENS)
    told = UsageHour.objects.aggregate(requests=Sum("requests"), errors=Sum("errors"),
                                       **{n: Sum(n) for n in names})  # fmt: skip
    rows = RequestLog.objects.filter(account_id__isnull=False)
    real = rows.aggregate(**{n: Sum(n) for n in names})
    real |= {"requests": rows.count(), "errors": rows.filter(status__gte=400).count()}
    return told, real


def assert_sums_are_the_rows():
    told, real = summed()
    assert told == real
    for kind, column in (("tag", "tag"), ("end_user", "end_user")):
        rows = RequestLog.objects.filter(**{f"{column}__isnull": False}, account_id__isnull=False)
        stored = LabelHour.objects.filter(kind=kind)
        assert sum(stored.values_list("requests", flat=True)) == rows.count()
        assert (stored.aggregate(c=Sum("cost_nusd"))["c"] or 0) == (
            rows.aggregate(c=Sum("cost_nusd"))["c"] or 0
        )
    answered = RequestLog.objects.filter(account_id__isnull=False, status__lt=400)
    steps = Counter(
        (r.account_id, moment(r.request_id).date(), r.model or "", latency.step(r.total_ms))
        for r in answered
    )
    stored = LatencyDay.objects.values_list("account_id", "day", "model", "step", "requests")
    assert {tuple(key): count for *key, count in stored} == steps


def test_rows_are_summed_by_hour_key_model_and_vendor():
    recorder.write([
        row(1, cost_nusd=5, input_tokens=1, output_tokens=2, tag="web", end_user=USER),
        row(2, cost_nusd=7, cache_read_tokens=3, cache_write_tokens=4, reasoning_tokens=5,
            tag="web"),
        row(3, hour=10, status=402),
        row(4, api_key_id=None, model=None, vendor=None, status=400),
        row(5, account_id=None, status=401),
    ])  # fmt: skip
    found = UsageHour.objects.order_by("hour", "api_key_id")
    told = [(u.hour.hour, u.api_key_id, u.model, u.vendor, u.requests, u.errors, u.cost_nusd)
            for u in found]  # fmt: skip
    assert told == [
        (9, 0, "", "", 1, 1, 0), (9, 3, "a/m", "v", 2, 0, 12), (10, 3, "a/m", "v", 1, 1, 0),
    ]  # fmt: skip
    assert [getattr(found[1], name) for name in sums.TOKENS] == [1, 3, 4, 2, 5]
    labels = LabelHour.objects.order_by("kind").values_list(
        "kind", "label", "requests", "cost_nusd"
    )
    assert list(labels) == [("end_user", USER, 1, 5), ("tag", "web", 2, 12)]
    assert LatencyDay.objects.get().requests == 2
    assert_sums_are_the_rows()


def test_a_group_written_again_is_summed_once():
    rows = [row(n, cost_nusd=n, tag="t") for n in range(1, 6)]
    recorder.write(rows[:3])
    assert recorder.write(rows) == 5
    assert recorder.write([*rows, rows[0]]) == 6
    assert UsageHour.objects.get().requests == 5
    assert_sums_are_the_rows()


def test_a_row_twice_in_a_group_is_summed_once():
    assert recorder.write([row(1), row(1), row(2)]) == 3
    assert UsageHour.objects.get().requests == 2
    assert_sums_are_the_rows()


def test_a_refused_row_is_in_no_sum():
    assert recorder.write([row(1, cost_nusd=5), row(2, cost_nusd=1 << 80), row(3)]) == 2
    assert UsageHour.objects.get().requests == 2
    assert_sums_are_the_rows()


def test_many_groups_of_many_accounts_add_up():
    for group in range(6):
        recorder.write([
            row(
                100 * group + n, account_id=1 + n % 3, api_key_id=n % 4 or None, hour=n % 5,
                model=f"a/{n % 3}", status=200 if n % 7 else 500, total_ms=37 * n, cost_nusd=n,
                input_tokens=n, tag=f"t{n % 2}" if n % 3 else None,
            )
            for n in range(60)
        ])  # fmt: skip
    assert_sums_are_the_rows()


def test_a_group_that_cannot_be_summed_is_not_written_either():
    """The rows and their sums are one transaction: what fails in one undoes both."""
    full = row(1, cost_nusd=(1 << 63) - 1)
    recorder.write([full])
    assert recorder.write([row(2, cost_nusd=1)]) in {0, 1}
    assert UsageHour.objects.get().requests == RequestLog.objects.count()


# Reading


def test_usage_is_told_by_day_or_hour_and_part():
    recorder.write([
        row(1, day=TODAY - DAY, hour=23, input_tokens=1),
        row(2, hour=0, input_tokens=2, api_key_id=4),
        row(3, hour=5, input_tokens=4, model="b/m", status=500),
        row(4, day=TODAY + DAY, hour=0, input_tokens=8),
        row(5, account_id=8, input_tokens=16),
    ])  # fmt: skip
    asked = {"since": TODAY - DAY, "until": TODAY + DAY}
    days = {u.at.date(): (u.requests, u.errors, u.tokens[0]) for u in queries.usage(7, **asked)}
    assert days == {TODAY - DAY: (1, 0, 1), TODAY: (2, 1, 6)}
    parts = queries.usage(7, **asked, parts=list(queries.Part), by_hour=True)
    told = sorted((u.at.hour, u.key_id, u.model, u.vendor, u.requests) for u in parts)
    assert told == [(0, 4, "a/m", "v", 1), (5, 3, "b/m", "v", 1), (23, 3, "a/m", "v", 1)]
    assert [u.requests for u in queries.usage(7, **asked, key_ids=[4])] == [1]
    assert queries.usage(7, **asked, key_ids=[]) == []


def test_labels_are_told_and_only_the_costliest_of_too_many():
    recorder.write([row(n, tag=f"t{n}", cost_nusd=n, hour=n) for n in range(1, 6)])
    asked = {"since": TODAY, "until": TODAY + DAY, "kind": LabelHour.Kind.TAG}
    assert sum(one.cost_nusd for one in queries.labeled(7, **asked)) == 15
    told = [(one.label or "", one.at.day, one.requests, one.cost_nusd)
            for one in queries.labeled(7, **asked, labels_max=2)]  # fmt: skip
    assert sorted(told) == [("", 31, 3, 6), ("t4", 31, 1, 4), ("t5", 31, 1, 5)]
    assert {one.at.hour for one in queries.labeled(7, **asked, by_hour=True)} == {1, 2, 3, 4, 5}


def test_latencies_are_told_by_model():
    recorder.write([row(n, total_ms=1_000, hour=n) for n in range(3)])
    recorder.write([row(9, total_ms=9_000, model=None), row(8, status=500, total_ms=1)])
    found = queries.latencies(7, since=TODAY, until=TODAY + DAY)
    assert found == {"a/m": {latency.step(1_000): 3}, "": {latency.step(9_000): 1}}


# Folding


def test_old_hours_are_added_up_by_day_and_nothing_is_lost():
    for day in (TODAY - 3 * DAY, TODAY - 2 * DAY):
        recorder.write([
            row(n, day=day, hour=hour, cost_nusd=n, tag="t", end_user=USER, account_id=account)
            for account in (7, 8) for n, hour in enumerate((0, 9, 23), 10 * account)
        ])  # fmt: skip
    asked = {"since": TODAY - 9 * DAY, "until": TODAY + DAY}

    def told():
        tags = queries.labeled(7, **asked, kind=LabelHour.Kind.TAG)
        key = lambda one: one.at  # noqa: E731
        return sorted(queries.usage(7, **asked), key=key), sorted(tags, key=key)

    before = told()
    assert sums.fold(today=TODAY) > 0
    assert told() == before
    assert_sums_are_the_rows()
    stored = UsageHour.objects.filter(account_id=7).order_by("hour")
    assert [(one.hour.day, one.hour.hour, one.requests) for one in stored] == [
        (28, 0, 3), (29, 0, 1), (29, 9, 1), (29, 23, 1),
    ]  # fmt: skip
    assert LabelHour.objects.count() == 2 * 2 * 2  # of labels only today's hours are kept
    assert sums.fold(today=TODAY) == 0


@pytest.mark.parametrize("seed", range(4))
def test_any_range_reads_as_its_rows_whenever_hours_were_folded(seed):
    dice = random.Random(seed)
    days = [TODAY - age * DAY for age in range(7)]
    for batch in range(6):
        recorder.write([
            row(100 * batch + n, day=dice.choice(days), hour=dice.randrange(24),
                cost_nusd=dice.randrange(10**9), input_tokens=dice.randrange(9),
                status=dice.choice([200, 429]), tag=dice.choice(["a", "b", None]))
            for n in range(20)
        ])  # fmt: skip
        sums.fold(today=dice.choice(days))
    assert_sums_are_the_rows()
    for _ in range(8):
        since, until = sorted(dice.sample([*days, TODAY + DAY], 2))
        rows = RequestLog.objects.filter(
            request_id__gte=bound(since), request_id__lt=bound(until), account_id=7
        )
        asked = {"since": since, "until": until}
        for parts in ([], [queries.Part.MODEL], list(queries.Part)):
            told = queries.usage(7, **asked, parts=parts)
            assert sum(one.requests for one in told) == rows.count()
            assert sum(one.errors for one in told) == rows.filter(status=429).count()
        tagged = rows.filter(tag__isnull=False).aggregate(cost=Sum("cost_nusd"))["cost"] or 0
        labels = queries.labeled(7, **asked, kind=LabelHour.Kind.TAG)
        assert sum(one.cost_nusd for one in labels) == tagged


def test_the_recorders_upkeep_folds(transactional_db):
    recorder.write([row(1, day=TODAY - 9 * DAY, hour=9)])
    partitions.Upkeep().run(now=dt.datetime.combine(TODAY, dt.time(1), tzinfo=dt.UTC))
    assert UsageHour.objects.get().hour.hour == 0


# Forgetting


@pytest.mark.clause("4.3-retention")
def test_end_users_are_forgotten_with_the_log_and_sums_stay(settings):
    settings.LOG_RETENTION_DAYS = 30
    for age in (0, 30, 31):
        recorder.write([row(1, day=TODAY - age * DAY, tag="t", end_user=USER)])
    removal.run(now=midnight(TODAY), actor="test", is_forced=True)
    left = LabelHour.objects.filter(kind="end_user").order_by("hour")
    assert [one.hour.date() for one in left] == [TODAY - 30 * DAY, TODAY]
    assert LabelHour.objects.filter(kind="tag").count() == 3
    assert UsageHour.objects.count() == 3


def test_ids_made_now_are_summed_in_this_hour():
    recorder.write([entry(account_id=7)])
    hour = moment(uuid7()).replace(minute=0, second=0, microsecond=0)
    assert hour - UsageHour.objects.get().hour in {dt.timedelta(0), dt.timedelta(hours=1)}
