"""What an account's requests were: counts, tokens, labels and latency, from the sums alone."""

import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from django.db import connection

from accounts import planned
from accounts.hours import day_sql, from_sql
from accounts.timeids import midnight
from logs.models import LabelHour, RequestLog, UsageHour
from logs.sums import TOKENS

# How many values of a label one question may tell apart: the costliest.
LABELS_MAX = 1_000


class Part(Enum):
    """What sums are kept apart; the value is its column."""

    KEY = "api_key_id"
    MODEL = "model"
    VENDOR = "vendor"


class Usage(NamedTuple):
    """Requests of one hour or day. `key_id` 0, `model` and `vendor` "": not known, or not asked."""

    at: dt.datetime
    key_id: int
    model: str
    vendor: str
    requests: int
    errors: int
    # By class, in the order of TOKENS.
    tokens: tuple[int, ...]


# Grouped by nothing that is constant: SQLite sorts by every column named, which takes longest.
_USAGE = """
SELECT {at}, {key}, {model}, {vendor}, {sums} FROM logs_usagehour h
WHERE account_id = %s AND hour >= %s AND hour < %s {only} GROUP BY {places}
"""
_SUMS = ", ".join(f"CAST(SUM({name}) AS bigint)" for name in ("requests", "errors", *TOKENS))


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
    only = "" if key_ids is None else "AND FALSE"
    if key_ids:
        only = f"AND api_key_id IN ({', '.join(['%s'] * len(key_ids))})"
    places = [n for n, part in enumerate(Part, 2) if part in parts]
    sql = _USAGE.format(
        at=_at(by_hour=by_hour),
        key="api_key_id" if Part.KEY in parts else "0",
        model="model" if Part.MODEL in parts else "''",
        vendor="vendor" if Part.VENDOR in parts else "''",
        sums=_SUMS,
        only=only,
        places=", ".join(map(str, (1, *places))),
    )
    rows = _rows(sql, [account_id, *_hours(since, until), *(key_ids or ())])
    times = {at: from_sql(at) for at in {row[0] for row in rows}}
    return [Usage._make((times[row[0]], *row[1:6], row[6:])) for row in rows]


def _at(*, by_hour: bool) -> str:
    return "h.hour" if by_hour else day_sql(connection.vendor, "h.hour")


def _hours(since: dt.date, until: dt.date) -> list[Any]:
    return [connection.ops.adapt_datetimefield_value(midnight(day)) for day in (since, until)]


def _rows(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def used(
    account_id: int, *, since: dt.date, key_ids: Collection[int] | None = None
) -> tuple[list[str], list[str]]:
    """Return the models and the vendors of requests since a day (UTC), sorted; one query."""
    rows = UsageHour.objects.filter(account_id=account_id, hour__gte=midnight(since))
    if key_ids is not None:
        rows = rows.filter(api_key_id__in=key_ids)
    pairs = set(rows.values_list("model", "vendor").distinct().order_by())
    models, vendors = {model for model, _ in pairs}, {vendor for _, vendor in pairs}
    return sorted(models - {""}), sorted(vendors - {""})


_USED_AT = """
SELECT api_key_id, MAX(created_at) FROM (
    SELECT api_key_id, created_at FROM logs_requestlog
    WHERE account_id = %s AND api_key_id IS NOT NULL ORDER BY request_id DESC LIMIT %s
) latest GROUP BY api_key_id
"""


def used_at(account_id: int, *, rows_max: int) -> Mapping[int, dt.datetime]:
    """Return when keys were used last, as far as an account's latest rows tell; one query."""
    found = planned.rows(_USED_AT, [account_id, rows_max])
    return {key_id: from_sql(at) for key_id, at in found}


class Labeled(NamedTuple):
    """Requests of one hour or day that carried a label; None: all labels but the costliest."""

    at: dt.datetime
    label: str | None
    requests: int
    cost_nusd: int


# Labels that cost most are told apart; all in one statement, so that it adds up.
# Rows are read twice, which takes half as long as keeping them between (on both databases).
_LABELED = """
WITH largest AS MATERIALIZED (
    SELECT label FROM logs_labelhour
    WHERE account_id = %s AND hour >= %s AND hour < %s AND kind = %s GROUP BY label
    ORDER BY SUM(cost_nusd) DESC, SUM(requests) DESC, label LIMIT %s
)
SELECT {at}, CASE WHEN label IN (SELECT label FROM largest) THEN label END,
    CAST(SUM(requests) AS bigint), CAST(SUM(cost_nusd) AS bigint)
FROM logs_labelhour h
WHERE account_id = %s AND hour >= %s AND hour < %s AND kind = %s GROUP BY 1, 2
"""


def labeled(
    account_id: int,
    *,
    since: dt.date,
    until: dt.date,
    kind: LabelHour.Kind,
    by_hour: bool = False,
    labels_max: int = LABELS_MAX,
) -> list[Labeled]:
    """Return what requests with labels of a kind cost, the costliest apart; one query.

    A request that carries no such label is in none: the rest of the account's sums is theirs.
    """
    sql = _LABELED.format(at=_at(by_hour=by_hour))
    chosen = [account_id, *_hours(since, until), kind.value]
    rows = _rows(sql, [*chosen, labels_max, *chosen])
    times = {at: from_sql(at) for at in {row[0] for row in rows}}
    return [Labeled(times[row[0]], *row[1:]) for row in rows]


def latencies(
    account_id: int, *, since: dt.date, until: dt.date, by_model: bool = True
) -> Mapping[str, Mapping[int, int]]:
    """Return how many answers fell into each step of latency (logs.latency), by model; one query.

    The model is "" where the catalogue does not know it, or where none is asked for.
    """
    rows = _rows(
        f"SELECT {'model' if by_model else repr('')}, step, CAST(SUM(requests) AS bigint) "  # noqa: S608
        "FROM logs_latencyday WHERE account_id = %s AND day >= %s AND day < %s GROUP BY 1, 2",
        [account_id, *map(connection.ops.adapt_datefield_value, (since, until))],
    )
    found: dict[str, dict[int, int]] = {}
    for model, step, requests in rows:
        found.setdefault(model, {})[step] = requests
    return found


def costs(
    *, since: dt.date, until: dt.date, by_hour: bool
) -> Mapping[tuple[int, dt.datetime], int]:
    """Return what all accounts' requests cost by account and hour or day, nUSD; one query."""
    sql = (
        f"SELECT account_id, {_at(by_hour=by_hour)}, SUM(cost_nusd) FROM logs_usagehour h "  # noqa: S608
        "WHERE hour >= %s AND hour < %s GROUP BY 1, 2"
    )
    rows = _rows(sql, _hours(since, until))
    return {(account_id, from_sql(at)): int(cost) for account_id, at, cost in rows if cost}


def request_costs(account_id: int, *, first: uuid.UUID, last: uuid.UUID) -> Mapping[uuid.UUID, int]:
    """Return what an account's requests cost, those with ids from one to before another; nUSD."""
    rows = RequestLog.objects.filter(
        account_id=account_id, request_id__gte=first, request_id__lt=last
    )
    return dict(rows.values_list("request_id", "cost_nusd"))
