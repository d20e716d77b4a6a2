"""An account at a glance: the last days beside the days before, and its costliest models."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from accounts.timeids import DAY
from bananarouter.pages import charts
from bananarouter.pages.attention import Failures
from billing import spending
from logs import latency
from logs import queries as logs

MONTH = 30
WEEK = 7
MODELS_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A figure over some days that end with today, and over as many before."""

    value: int
    before: int
    # The path of a sparkline with a bar for each day.
    spark: str = ""
    days: int = 1

    @property
    def width(self) -> int:
        """The width of the sparkline's drawing."""
        return self.days * charts.COLUMN

    @property
    def change(self) -> str:
        """The change in percent: `+12%`; empty where there was hardly anything before."""
        if 10 * self.before < self.value or not self.before:
            return ""
        return f"{round(100 * (self.value - self.before) / self.before):+d}%"


def _stretch(by_day: Mapping[dt.date, int], *, today: dt.date, days: int) -> Stretch:
    values = [by_day.get(today - n * DAY, 0) for n in range(2 * days)]
    return Stretch(
        value=sum(values[:days]),
        before=sum(values[days:]),
        spark=charts.sparkline(values[:days][::-1]) if days > 1 and any(values[:days]) else "",
        days=days,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What a model cost, and its part of everything."""

    slug: str
    cost_nusd: int
    percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What was spent."""

    today: Stretch
    week: Stretch
    month: Stretch
    models: Sequence[Model]
    is_frozen: bool


def money(account_id: int, *, today: dt.date, key_ids: Collection[int] | None) -> Money:
    """Return what an account, or some of its keys, spent; one query."""
    found = spending.spent(
        account_id,
        since=today - (2 * MONTH - 1) * DAY,
        until=today + DAY,
        parts=[spending.Part.ENDPOINT],
        key_ids=key_ids,
    )
    by_day: dict[dt.date, int] = {}
    by_model: dict[str, int] = {}
    for one in found.sums:
        day = one.at.date()
        by_day[day] = by_day.get(day, 0) + one.cost_nusd
        if day > today - MONTH * DAY:
            slug = one.endpoint.partition(":")[2]
            by_model[slug] = by_model.get(slug, 0) + one.cost_nusd
    month = _stretch(by_day, today=today, days=MONTH)
    largest = sorted(by_model.items(), key=lambda item: (-item[1], item[0]))
    return Money(
        today=_stretch(by_day, today=today, days=1),
        week=_stretch(by_day, today=today, days=WEEK),
        month=month,
        models=[
            Model(slug=slug, cost_nusd=cost, percent=100 * cost / month.value)
            for slug, cost in largest[:MODELS_MAX]
            if cost
        ],
        is_frozen=found.ledger.is_frozen,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What was asked for in a week, and what failed since yesterday by key."""

    requests: Stretch
    errors: Stretch
    failures: Mapping[int, Failures]

    @property
    def failed_percent(self) -> str:
        """The part of the week's requests that failed."""
        share = self.errors.value / self.requests.value if self.requests.value else 0
        return f"{100 * share:.1f}%"


def work(account_id: int, *, today: dt.date, key_ids: Collection[int] | None) -> Work:
    """Return what an account, or some of its keys, asked for; one query."""
    rows = logs.usage(
        account_id,
        since=today - (2 * WEEK - 1) * DAY,
        until=today + DAY,
        parts=[logs.Part.KEY],
        key_ids=key_ids,
    )

    def by_day(count: Callable[[logs.Usage], int]) -> dict[dt.date, int]:
        sums: dict[dt.date, int] = {}
        for row in rows:
            sums[row.at.date()] = sums.get(row.at.date(), 0) + count(row)
        return sums

    failures: dict[int, Failures] = {}
    for row in rows:
        if row.at.date() >= today - DAY:
            old = failures.get(row.key_id, Failures(failed=0, requests=0))
            failures[row.key_id] = Failures(
                failed=old.failed + row.errors, requests=old.requests + row.requests
            )
    return Work(
        requests=_stretch(by_day(lambda row: row.requests), today=today, days=WEEK),
        errors=_stretch(by_day(lambda row: row.errors), today=today, days=WEEK),
        failures=failures,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How long the answers of a week took, in milliseconds; None without any."""

    median_ms: int | None
    slow_ms: int | None


def speed(account_id: int, *, today: dt.date) -> Speed:
    """Return how long an account's answers took; one query."""
    since, until = today - (WEEK - 1) * DAY, today + DAY
    steps = logs.latencies(account_id, since=since, until=until, by_model=False).get("", {})
    return Speed(median_ms=latency.percentile(steps, 0.5), slow_ms=latency.percentile(steps, 0.95))
