"""What staff read of long ranges, from the archive: models, latency, error rates, days.

Days within the window are read from rows, older ones from their sums, and no day from both.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.timeids import DAY
from logs import latency
from logs.archive.base import TOKENS, Sink, text

MODELS_MAX = 20
_SUMS = ("requests", "errors", "failures", *TOKENS, "cost_nusd")
# ClickHouse counts without a sign and sums with one, and joins no two columns of both.
_COUNTED = "CAST(COUNT(*) AS BIGINT) AS n_requests"
_FROM_ROWS = (
    f"{_COUNTED}, "
    "CAST(SUM(CASE WHEN status >= 400 THEN 1 ELSE 0 END) AS BIGINT) AS n_errors, "
    "CAST(SUM(CASE WHEN status >= 500 THEN 1 ELSE 0 END) AS BIGINT) AS n_failures, "
    + ", ".join(f"SUM({name}) AS n_{name}" for name in (*TOKENS, "cost_nusd"))
)
_FROM_DAYS = ", ".join(f"SUM({name}) AS n_{name}" for name in _SUMS)
_TOTALS = ", ".join(f"SUM(n_{name}) AS t_{name}" for name in _SUMS)
# `%s`: the columns to group by, then the first day, twice.
_SPAN = "WHERE day >= '%(since)s' AND day {} IN (SELECT day FROM {{request_days}})"
_BY = (
    f"SELECT %(by)s, {_TOTALS} FROM ("
    f"SELECT %(by)s, {_FROM_ROWS} FROM {{requests}} {_SPAN.format('NOT')} GROUP BY %(by)s "
    f"UNION ALL SELECT %(by)s, {_FROM_DAYS} FROM {{request_days}} WHERE day >= '%(since)s' "
    "GROUP BY %(by)s) AS parts GROUP BY %(by)s"
)
_STEPS = (
    "SELECT model, step, SUM(n_requests) AS t_requests FROM ("
    f"SELECT model, step, {_COUNTED} FROM {{requests}} {_SPAN.format('NOT')} "
    "GROUP BY model, step "
    "UNION ALL SELECT model, step, SUM(requests) AS n_requests FROM {request_day_latency} "
    "WHERE day >= '%(since)s' GROUP BY model, step) AS parts GROUP BY model, step"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a model, a vendor or a day amounts to. `name` is "" for requests that reached none."""

    name: str
    requests: int
    errors: int
    failures: int
    tokens: int
    cost_nusd: int
    p50_ms: int | None = None
    p95_ms: int | None = None
    p99_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A range of days, today's last: what is shown of it."""

    since: dt.date
    total: Line
    models: tuple[Line, ...]
    models_more: int
    vendors: tuple[Line, ...]
    days: tuple[Line, ...]  # every day of the range, the oldest first


def read(sink: Sink, *, today: dt.date, days: int) -> Report:
    """Read a range of days from the archive; three queries. Raises: Away, Refused."""
    since = today - (days - 1) * DAY
    named = {"since": text(since)}
    cells = sink.ask(_BY % {**named, "by": "model, vendor"})
    by_day = sink.ask(_BY % {**named, "by": "day"})
    steps: dict[str, Counter[int]] = defaultdict(Counter)
    for row in sink.ask(_STEPS % named):
        steps[row["model"]][row["step"]] += row["t_requests"]
    models = _lines(cells, "model", steps=steps)
    every = Counter[int]()
    for counted in steps.values():
        every.update(counted)
    found = {line.name: line for line in _lines(by_day, "day")}
    span = [text(since + n * DAY) for n in range(days)]
    return Report(
        since=since,
        total=_line("", _sum(cells), every),
        models=tuple(models[:MODELS_MAX]),
        models_more=max(len(models) - MODELS_MAX, 0),
        vendors=tuple(_lines(cells, "vendor")),
        days=tuple(found.get(day) or _line(day, Counter()) for day in span),
    )


def _lines(
    rows: Iterable[Mapping[str, Any]],
    by: str,
    *,
    steps: Mapping[str, Mapping[int, int]] | None = None,
) -> list[Line]:
    """Add rows up by one column; the largest first."""
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[str(row[by])].append(row)
    lines = [_line(name, _sum(group), (steps or {}).get(name)) for name, group in groups.items()]
    return sorted(lines, key=lambda line: (-line.requests, line.name))


def _sum(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    total = Counter[str]()
    for row in rows:
        total.update({name: row[f"t_{name}"] or 0 for name in _SUMS})
    return total


def _line(name: str, sums: Counter[str], steps: Mapping[int, int] | None = None) -> Line:
    half, most, nearly_all = (latency.percentile(steps or {}, share) for share in (0.5, 0.95, 0.99))
    return Line(
        name=name,
        requests=sums["requests"],
        errors=sums["errors"],
        failures=sums["failures"],
        tokens=sum(sums[each] for each in TOKENS),
        cost_nusd=sums["cost_nusd"],
        p50_ms=half,
        p95_ms=most,
        p99_ms=nearly_all,
    )
