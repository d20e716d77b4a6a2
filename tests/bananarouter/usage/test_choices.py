"""The URL's question: read, kept, and refused where it makes no sense."""

import datetime as dt

import pytest
from django.http import QueryDict

from accounts.timeids import DAY, midnight
from bananarouter.pages.usage import choices
from bananarouter.pages.usage.choices import Grouping, Measure, Period, Step

TODAY = dt.date(2026, 11, 26)  # a Thursday


def read(query, groupings=tuple(Grouping)):
    return choices.read(QueryDict(query), today=TODAY, groupings=groupings)


@pytest.mark.parametrize(("asked", "days"), [("today", 1), ("7d", 7), ("30d", 30)])
def test_ranges_end_with_today(asked, days):
    period = read(f"range={asked}").period
    assert (period.until - period.since).days == days
    assert period.latest == TODAY


@pytest.mark.parametrize("query", ["", "range=x&group=y&measure=z", "range=&group=&measure="])
def test_nonsense_is_asked_as_by_default(query):
    choice = read(query)
    assert (choice.range, choice.grouping, choice.measure) == ("30d", "model", "spend")
    assert choice.period.since == TODAY - 29 * DAY


def test_own_days_are_taken_to_the_end_of_the_last():
    choice = read("range=custom&from=2026-11-01&to=2026-11-03")
    wanted = Period(since=dt.date(2026, 11, 1), until=dt.date(2026, 11, 4), has_hours=False)
    assert choice.period == wanted
    assert choice.query() == (
        "range=custom&group=model&measure=spend&from=2026-11-01&to=2026-11-03"
    )
    assert "from" not in choice.query(range="7d")


@pytest.mark.parametrize(
    ("since", "latest", "field", "said"),
    [
        ("", "2026-11-01", "from", "required"),
        ("2026-11-01", "", "to", "required"),
        ("x", "2026-11-01", "from", "valid date"),
        ("2026-11-02", "2026-11-01", "to", "not before"),
        ("2026-11-01", "2026-11-27", "to", "not come"),
        ("2026-11-01", "9999-12-31", "to", "not come"),
        ("0001-01-01", "2026-11-01", "from", "later day"),
        ("1969-01-01", "1969-01-02", "from", "later day"),
        ("2025-11-25", "2026-11-26", "to", "366"),
    ],
)
def test_days_that_are_no_range_are_refused_and_kept(since, latest, field, said):
    choice = read(f"range=custom&from={since}&to={latest}")
    assert said in str(choice.dates.errors[field])
    assert choice.dates["from"].value() == since
    assert (choice.range, choice.period.since) == ("30d", TODAY - 29 * DAY)


def test_a_leap_year_can_be_seen_whole():
    assert read("range=custom&from=2025-11-26&to=2026-11-26").dates.errors == {}


@pytest.mark.parametrize(("day", "step"), [("24", Step.HOUR), ("23", Step.DAY)])
def test_a_day_whose_hours_are_folded_is_one_column(day, step):
    choice = read(f"range=custom&from=2026-11-{day}&to=2026-11-{day}")
    assert choice.period.step is step


@pytest.mark.parametrize(("day", "step"), [("26", Step.HOUR), ("25", Step.DAY)])
def test_labels_have_hours_for_today_alone(day, step):
    choice = read(f"range=custom&from=2026-11-{day}&to=2026-11-{day}&group=tag")
    assert choice.period.step is step


def test_labels_have_no_tokens_and_no_errors():
    assert read("group=tag&measure=tokens").measure is Measure.SPEND
    assert read("group=tag&measure=requests").measure is Measure.REQUESTS


def test_a_grouping_that_is_not_offered_is_not_read():
    assert read("group=tag", groupings=[Grouping.MODEL]).grouping is Grouping.MODEL


@pytest.mark.parametrize(
    ("days", "step", "columns"),
    [(1, Step.HOUR, 24), (2, Step.HOUR, 48), (3, Step.DAY, 3), (90, Step.DAY, 90),
     (91, Step.WEEK, 14), (366, Step.WEEK, 53)],
)  # fmt: skip
def test_longer_ranges_have_longer_steps(days, step, columns):
    period = Period(since=TODAY - (days - 1) * DAY, until=TODAY + DAY)
    starts = period.starts()
    assert (period.step, len(starts)) == (step, columns)
    assert len(starts) <= 90
    for number, start in enumerate(starts):
        assert period.place(start, starts[0]) == number
    assert period.place(midnight(period.since), starts[0]) == 0
    last = midnight(period.until) - dt.timedelta(hours=1)
    assert period.place(last, starts[0]) == len(starts) - 1
