"""How endpoints serve, as far as it may be told: sums of many accounts, or nothing."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from logs import service_hours
from logs.service_hours import HOUR, Sum
from routing.catalogue import Endpoint

DAY = dt.timedelta(days=1)
WEEK = dt.timedelta(days=7)
# How long what is read from the log itself is kept: it is the dear part.
FRESH = dt.timedelta(seconds=60)
# Hours are summed within two; a backlog is not measured for a page.
OPEN_MAX = 4 * HOUR
SIMULATED = "demo"
REQUESTS_MIN, ACCOUNTS_MIN = service_hours.REQUESTS_MIN, service_hours.ACCOUNTS_MIN
WORKS_PPM = 990_000
FAILS_PPM = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One endpoint or vendor over a span; None: not enough requests to tell."""

    answered_ppm: int | None = None
    half_ms: int | None = None  # half of the first bytes came within it
    most_ms: int | None = None  # 95 of a hundred did

    @property
    def state(self) -> str:
        """Return "good", "warn", "bad", or "" when nothing is known."""
        if self.answered_ppm is None:
            return ""
        if self.answered_ppm >= WORKS_PPM:
            return "good"
        return "warn" if self.answered_ppm >= FAILS_PPM else "bad"

    @property
    def answered(self) -> str:
        """Write the share of answered requests, never rounded up: `99.98 %`."""
        return "" if self.answered_ppm is None else f"{self.answered_ppm // 100 / 100:.2f} %"


def told(sums: Iterable[Sum]) -> Standing:
    """Tell what sums say, unless it would tell of too few."""
    listed = list(sums)
    found = service_hours.total(listed)
    is_simulated = all(each.vendor == SIMULATED for each in listed)
    if not found.may_be_told(is_simulated=is_simulated):
        return Standing()
    return Standing(
        answered_ppm=found.answered_ppm(),
        half_ms=found.first_byte_ms(50),
        most_ms=found.first_byte_ms(95),
    )


_kept: dict[str, tuple[dt.datetime, Sequence[Sum]]] = {}


def forget() -> None:
    """Forget what was measured (for tests, whose databases come and go)."""
    _kept.clear()


def _fresh(name: str, now: dt.datetime, make: Callable[[], Sequence[Sum]]) -> Sequence[Sum]:
    at, sums = _kept.get(name, (None, ()))
    if at is None or not dt.timedelta() <= now - at < FRESH:
        sums = make()
        _kept[name] = (now, sums)
    return sums


def _open(now: dt.datetime) -> Sequence[Sum]:
    """Return the sums of hours that are not closed yet; two or three queries a minute."""

    def make() -> Sequence[Sum]:
        start = service_hours.open_since(now=now)
        return service_hours.measure(start=max(start, now - OPEN_MAX))

    return _fresh("open", now, make)


def of_endpoints(
    endpoints: Iterable[Endpoint], *, now: dt.datetime
) -> Mapping[str, tuple[Standing, Standing]]:
    """Return how each endpoint served over a day and over a week; one query and the open hours."""
    slugs = [endpoint.slug for endpoint in endpoints]
    closed = service_hours.closed(since=now - WEEK, endpoints=slugs)
    recent = _open(now)
    found = {}
    for slug in slugs:
        own = [each for each in recent if each.endpoint == slug]
        week = [each for _, each in closed if each.endpoint == slug]
        day = [each for hour, each in closed if each.endpoint == slug and hour >= now - DAY]
        found[slug] = told([*day, *own]), told([*week, *own])
    return found


def of_vendors(*, now: dt.datetime) -> Mapping[str, Standing]:
    """Return how each vendor served over the last hour; two queries a minute."""
    sums = _fresh("hour", now, lambda: service_hours.measure(start=now - HOUR))
    vendors = {each.vendor for each in sums}
    return {name: told(each for each in sums if each.vendor == name) for name in vendors}


def requests_of_a_day(*, now: dt.datetime) -> int | None:
    """Return how many requests real vendors got here in a day; None: too few to tell."""

    def make() -> Sequence[Sum]:
        closed = service_hours.closed_requests(since=now - DAY, but=SIMULATED)
        return [closed, *(each for each in _open(now) if each.vendor != SIMULATED)]

    found = service_hours.total(_fresh("day", now, make))
    return found.requests if found.may_be_told() else None
