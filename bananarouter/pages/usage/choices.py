"""What the usage page is asked: which days, kept apart by what, measured how."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.hours import KEPT_DAYS, LABELS_KEPT_DAYS
from accounts.timeids import DAY, midnight
from bananarouter.pages.words import Words

DAYS_MAX = 366
# Longer ranges are drawn in longer steps, so that a column can still be seen and hit.
HOURS_UP_TO_DAYS = 2
DAYS_UP_TO_DAYS = 90
WEEK = 7
FIRST = dt.date(2020, 1, 1)
CUSTOM = "custom"


class Range(StrEnum):
    """Days that end with today; the value stands in the URL."""

    TODAY = "today"
    WEEK = "7d"
    MONTH = "30d"


DAYS = {Range.TODAY: 1, Range.WEEK: 7, Range.MONTH: 30}
RANGES: Mapping[str, Words] = {
    Range.TODAY: _("Today"),
    Range.WEEK: _("7 days"),
    Range.MONTH: _("30 days"),
}


class Grouping(StrEnum):
    """What is kept apart."""

    MODEL = "model"
    KEY = "key"
    MEMBER = "member"
    VENDOR = "vendor"
    COST_CENTER = "cost_center"
    TAG = "tag"
    END_USER = "end_user"


GROUPINGS: Mapping[str, Words] = {
    Grouping.MODEL: _("Model"),
    Grouping.KEY: _("Key"),
    Grouping.MEMBER: _("Member"),
    Grouping.VENDOR: _("Vendor"),
    Grouping.COST_CENTER: _("Cost center"),
    Grouping.TAG: _("Tag"),
    Grouping.END_USER: _("End user"),
}
# Labels are summed for the whole account, with requests and cost alone.
LABELS = frozenset({Grouping.TAG, Grouping.END_USER})


class Measure(StrEnum):
    """What the bars are high by."""

    SPEND = "spend"
    REQUESTS = "requests"
    TOKENS = "tokens"
    ERRORS = "errors"


MEASURES: Mapping[str, Words] = {
    Measure.SPEND: _("Spend"),
    Measure.REQUESTS: _("Requests"),
    Measure.TOKENS: _("Tokens"),
    Measure.ERRORS: _("Errors"),
}
OF_LABELS = frozenset({Measure.SPEND, Measure.REQUESTS})


class Step(StrEnum):
    """How long a column is."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Days from `since` to before `until` (UTC), in steps."""

    since: dt.date
    until: dt.date
    # Whether its hours are kept; older days are sums of their own.
    has_hours: bool = True

    @property
    def step(self) -> Step:
        """The length of a column."""
        days = (self.until - self.since).days
        if days <= HOURS_UP_TO_DAYS and self.has_hours:
            return Step.HOUR
        return Step.DAY if days <= DAYS_UP_TO_DAYS else Step.WEEK

    @property
    def latest(self) -> dt.date:
        """The last day in it."""
        return self.until - DAY

    def starts(self) -> list[dt.datetime]:
        """Return where each step begins, earliest first."""
        if self.step is Step.HOUR:
            hours = 24 * (self.until - self.since).days
            return [midnight(self.since) + dt.timedelta(hours=n) for n in range(hours)]
        width = 1 if self.step is Step.DAY else WEEK
        first = self.since if width == 1 else self.since - self.since.weekday() * DAY
        count = -(-(self.until - first).days // width)
        return [midnight(first + n * width * DAY) for n in range(count)]

    def place(self, at: dt.datetime, first: dt.datetime) -> int:
        """Return the number of the step that holds a moment; `first` is where steps begin."""
        if self.step is Step.HOUR:
            return int((at - first).total_seconds()) // 3_600
        return (at - first).days // (1 if self.step is Step.DAY else WEEK)


class Dates(forms.Form):
    """Days of one's own choice."""

    use_required_attribute = True

    def __init__(self, *args: Any, today: dt.date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._today = today
        for name, label in (("from", _("From")), ("to", _("To"))):
            self.fields[name] = forms.DateField(
                label=label,
                input_formats=["%Y-%m-%d"],
                widget=forms.DateInput(
                    attrs={"type": "date", "min": str(FIRST), "max": str(today)}, format="%Y-%m-%d"
                ),
            )

    def clean(self) -> None:
        """Refuse days that are no range, have not come, or are too many."""
        since, latest = self.cleaned_data.get("from"), self.cleaned_data.get("to")
        if since is None or latest is None:
            return
        if since < FIRST:
            self.add_error("from", _("Choose a later day."))
        elif latest > self._today:
            self.add_error("to", _("This day has not come yet. Choose today or an earlier day."))
        elif latest < since:
            self.add_error("to", _("Choose a day that is not before the first one."))
        elif (latest - since).days >= DAYS_MAX:
            self.add_error("to", _("Choose at most 366 days."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The whole question; `dates` is the form of one's own days, with its errors if any."""

    range: str
    period: Period
    grouping: Grouping
    measure: Measure
    dates: Dates

    def query(self, **changes: str) -> str:
        """Return the URL's query for this question, or for another one."""
        said = {"range": self.range, "group": self.grouping, "measure": self.measure}
        if changes.get("range", self.range) == CUSTOM:
            said |= {"from": str(self.period.since), "to": str(self.period.latest)}
        return urlencode(said | changes)


def read(query: Mapping[str, str], *, today: dt.date, groupings: Collection[Grouping]) -> Choice:
    """Read the question of a URL; what makes no sense is asked as by default."""
    asked = query.get("range", "")
    grouping = _one_of(groupings, query.get("group", ""), Grouping.MODEL)
    measures = OF_LABELS if grouping in LABELS else set(Measure)
    measure = _one_of(measures, query.get("measure", ""), Measure.SPEND)
    days = DAYS[_one_of(set(Range), asked, Range.MONTH)]
    period = Period(since=today - (days - 1) * DAY, until=today + DAY)
    dates = Dates(initial={"from": period.since, "to": period.latest}, today=today)
    if asked == CUSTOM:
        dates = Dates(query, today=today)
        if dates.is_valid():
            since, latest = dates.cleaned_data["from"], dates.cleaned_data["to"]
            kept_days = LABELS_KEPT_DAYS if grouping in LABELS else KEPT_DAYS
            has_hours = since > today - kept_days * DAY
            period = Period(since=since, until=latest + DAY, has_hours=has_hours)
        else:
            asked = Range.MONTH
    elif asked not in set(Range):
        asked = Range.MONTH
    return Choice(range=asked, period=period, grouping=grouping, measure=measure, dates=dates)


_T = TypeVar("_T", bound=StrEnum)


def _one_of(known: Collection[_T], text: str, default: _T) -> _T:
    return next((one for one in known if one == text), default)
