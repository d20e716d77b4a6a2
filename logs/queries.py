"""What an account's requests were: counts, tokens, labels and latency, from the sums alone."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.db import connection
from django.db.models import Case, Sum, When
from django.db.models.expressions import RawSQL

from accounts.hours import day_sql, from_sql
from accounts.timeids import midnight
from logs.models import LabelHour, LatencyDay, UsageHour
from logs.sums import TOKENS

# What one question may return of a label's values: the largest ones.
LABELS_MAX = 100


class Part(Enum):
    """What sums are kept apart; the value is its column."""

    KEY = "api_key_id"
    MODEL = "model"
    VENDOR = "vendor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Requests of one hour or day. `key_id` 0, `model` and `vendor` "": not known, or not asked."""

    at: dt.datetime
    key_id: int = 0
    model: str = ""
    vendor: str = ""
    requests: int
    errors: int
    # By class, in the order of TOKENS.
    tokens: tuple[int, ...]


def usage(
    account_id: int,
    *,
    since: dt.date,
    until: dt.date,
    parts: Collection[Part] = (),
    by_hour: bool = False,
    key_ids: Collection[int] | None = None,
) -> list[Usage]:
    """Return the requests of the days from `since` to before `until` (UTC); one query.

    `key_ids`: only requests of these keys.
    """
    rows = UsageHour.objects.filter(
        account_id=account_id, hour__gte=midnight(since), hour__lt=midnight(until)
    )
    if key_ids is not None:
        rows = rows.filter(api_key_id__in=key_ids)
    names = [part.value for part in parts]
    sums = {f"{name}_sum": Sum(name) for name in ("requests", "errors", *TOKENS)}
    asked = _at(rows, "logs_usagehour", by_hour=by_hour).values_list("at", *names).annotate(**sums)
    found = list(asked.order_by())
    times = {at: from_sql(at) for at in {row[0] for row in found}}
    return [_usage(times[row[0]], row[1:], names) for row in found]


def _usage(at: dt.datetime, row: Sequence[Any], names: Sequence[str]) -> Usage:
    told = dict(zip(names, row, strict=False))
    requests, errors, *tokens = row[len(names) :]
    return Usage(
        at=at,
        key_id=told.get("api_key_id", 0),
        model=told.get("model", ""),
        vendor=told.get("vendor", ""),
        requests=requests,
        errors=errors,
        tokens=tuple(tokens),
    )


def _at(rows: Any, table: str, *, by_hour: bool) -> Any:
    column = f"{table}.hour"
    return rows.annotate(
        at=RawSQL(column if by_hour else day_sql(connection.vendor, column), [])  # noqa: S611
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Labeled:
    """Requests of one hour or day that carried a label; None: all labels beyond LABELS_MAX."""

    at: dt.datetime
    label: str | None
    requests: int
    cost_nusd: int


def labeled(
    account_id: int,
    *,
    since: dt.date,
    until: dt.date,
    kind: LabelHour.Kind,
    by_hour: bool = False,
) -> list[Labeled]:
    """Return what requests with labels of a kind cost, the LABELS_MAX costliest apart; one query.

    A request that carries no such label is in none: the rest of the account's sums is theirs.
    """
    rows = LabelHour.objects.filter(
        account_id=account_id, kind=kind, hour__gte=midnight(since), hour__lt=midnight(until)
    )
    largest = (
        rows.values("label")
        .annotate(cost=Sum("cost_nusd"), count=Sum("requests"))
        .order_by("-cost", "-count", "label")
        .values("label")[:LABELS_MAX]
    )
    told = Case(When(label__in=largest, then="label"), default=None)
    found = (
        _at(rows, "logs_labelhour", by_hour=by_hour)
        .annotate(told=told)
        .values_list("at", "told")
        .annotate(count=Sum("requests"), cost=Sum("cost_nusd"))
    )
    return [
        Labeled(at=from_sql(at), label=label, requests=requests, cost_nusd=cost)
        for at, label, requests, cost in found.order_by()
    ]


def latencies(
    account_id: int, *, since: dt.date, until: dt.date
) -> Mapping[str, Mapping[int, int]]:
    """Return how many answers fell into each step of latency (logs.latency), by model; one query.

    The model is "" where the catalogue does not know it.
    """
    rows = (
        LatencyDay.objects.filter(account_id=account_id, day__gte=since, day__lt=until)
        .values_list("model", "step")
        .annotate(count=Sum("requests"))
        .order_by()
    )
    found: dict[str, dict[int, int]] = {}
    for model, step, requests in rows:
        found.setdefault(model, {})[step] = requests
    return found
