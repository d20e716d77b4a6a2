"""Sums built again from the rows of a day, while rows are being written.

Rows and their sums are written in one transaction (logs.sums), so within one statement's view both
must agree. What differs there is added to the sums that stand by now: writers that came between
added theirs, and nobody waits for anybody.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Model, QuerySet

from accounts.hours import from_sql
from accounts.timeids import DAY, bound, midnight, moment
from logs import latency, sums
from logs.models import LabelHour, LatencyDay, RebuildTurn, RequestLog, UsageHour
from logs.sums import FAILED_FROM, KEYS, TOKENS, VALUES, Key

HOUR = dt.timedelta(hours=1)
TRIES_MAX = 5
_MILLIS = 80  # an id's bits below its milliseconds


class Contended(Exception):
    """Others rebuilt sums all the time: nothing was changed for this day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """How many sums of a day were wrong, and what that adds to its cost, nUSD."""

    changed: int = 0
    cost_nusd: int = 0


def rebuild(day: dt.date, *, today: dt.date) -> Rebuilt:
    """Make the sums of a day (UTC) those of its rows, in one transaction; twice changes nothing.

    By hour, or by day where hours are added up already. The day's rows must all still stand.
    Raises: Contended, DatabaseError.
    """
    age = (today - day).days
    for _ in range(TRIES_MAX):
        turn, _ = RebuildTurn.objects.get_or_create(pk=1)
        found = {table: _differences(table, day, by_hour=age < sums.HOURLY.get(table, 0))
                 for table in KEYS}  # fmt: skip
        with transaction.atomic():
            ours = RebuildTurn.objects.filter(pk=1, number=turn.number)
            if not ours.update(number=turn.number + 1):
                continue  # somebody else has just added the same differences
            for table, rows in found.items():
                sums.write(table, rows)
                _delete_empty(table, day)
        costs = [values[-1] for values in found[UsageHour].values()]  # the last of VALUES
        return Rebuilt(changed=sum(map(len, found.values())), cost_nusd=sum(costs))
    raise Contended(day.isoformat())


_DIFFERENCES = """
SELECT {keys}, {sums} FROM (
{fresh}
UNION ALL SELECT {stored_keys}, {minus} FROM {table} WHERE {when} >= {first} AND {when} < {last}
) told GROUP BY {keys} HAVING {differ}
"""
_FRESH = """
SELECT account_id, {keys}, {values} FROM {source}
WHERE request_id >= {first} AND request_id < {last} AND account_id IS NOT NULL {only}
GROUP BY {places}
"""


def _differences(table: type[Model], day: dt.date, *, by_hour: bool) -> dict[Key, list[int]]:
    """Return what each sum lacks (below zero: has too much) against the rows, in one view."""
    names, values = list(KEYS[table]), VALUES[table]
    when = "day" if table is LatencyDay else "hour"
    span = [_literal(day), _literal(day + DAY)]
    if when == "hour":
        span = [_literal(midnight(day)), _literal(midnight(day + DAY))]
    is_folded = when == "hour" and not by_hour
    sql = _DIFFERENCES.format(
        keys=", ".join(names),
        sums=", ".join(f"SUM({value}) AS {value}" for value in values),
        fresh="UNION ALL".join(_fresh(table, day, by_hour=by_hour)),
        stored_keys=", ".join(span[0] if is_folded and n == "hour" else n for n in names),
        minus=", ".join(f"-{value}" for value in values),
        table=table._meta.db_table,
        when=when,
        first=span[0],
        last=span[1],
        differ=" OR ".join(f"SUM({value}) <> 0" for value in values),
    )
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(sql)
        rows = cursor.fetchall()
    at = names.index(when)
    found = {}
    for row in rows:
        key = list(row[: len(names)])
        key[at] = _read(key[at], when)
        found[tuple(key)] = [int(value) for value in row[len(names) :]]
    return found


def _fresh(table: type[Model], day: dt.date, *, by_hour: bool) -> list[str]:
    """Return the statements that sum the rows of a day as a table does."""
    hour = _hour_sql(day) if by_hour else _literal(midnight(day))
    tokens = [f"SUM({name})" for name in TOKENS]
    failed = f"SUM(CASE WHEN status >= {FAILED_FROM} THEN 1 ELSE 0 END)"
    if table is UsageHour:
        keys = [hour, "COALESCE(api_key_id, 0)", "COALESCE(model, '')", "COALESCE(vendor, '')"]
        return [_group(table, day, keys, ["COUNT(*)", failed, *tokens, "SUM(cost_nusd)"])]
    if table is LatencyDay:
        step = latency.step_sql("total_ms")
        keys = [_literal(day), "COALESCE(model, '')", step]
        return [_group(table, day, keys, ["COUNT(*)"], only=f"AND status < {FAILED_FROM}")]
    return [
        _group(
            table,
            day,
            [hour, f"'{kind}'", column],
            ["COUNT(*)", "SUM(cost_nusd)"],
            only=f"AND {column} IS NOT NULL",
        )
        for kind, column in ((LabelHour.Kind.TAG, "tag"), (LabelHour.Kind.END_USER, "end_user"))
    ]


def _group(
    table: type[Model], day: dt.date, keys: Sequence[str], values: Sequence[str], *, only: str = ""
) -> str:
    names = list(KEYS[table])[1:]  # after the account
    return _FRESH.format(
        keys=", ".join(f"{sql} AS {name}" for sql, name in zip(keys, names, strict=True)),
        values=", ".join(f"{s} AS {name}" for s, name in zip(values, VALUES[table], strict=True)),
        source=RequestLog._meta.db_table,
        first=_id_literal(bound(day).int),
        last=_id_literal(bound(day + DAY).int),
        only=only,
        places=", ".join(str(n + 1) for n in range(len(keys) + 1)),
    )


def _hour_sql(day: dt.date) -> str:
    """Return SQL for the hour of a row's id, by comparing it with the day's 23 inner bounds."""
    first = bound(day).int
    hour_ids = int(HOUR.total_seconds() * 1000) << _MILLIS
    tops = [_id_literal(first + n * hour_ids - 1) for n in range(1, 24)]
    hours = [_literal(midnight(day) + n * HOUR) for n in range(24)]
    return latency.case_sql("request_id", tops, hours)


def _id_literal(number: int) -> str:
    found = uuid.UUID(int=number)
    return f"'{found}'::uuid" if connection.features.has_native_uuid_field else f"'{found.hex}'"


def _literal(at: dt.date) -> str:
    """Write a time or day as this database keeps it."""
    if connection.vendor == "postgresql":
        kind = "TIMESTAMPTZ" if isinstance(at, dt.datetime) else "DATE"
        return f"{kind} '{at.isoformat()}'"
    if isinstance(at, dt.datetime):
        return f"'{connection.ops.adapt_datetimefield_value(at)}'"
    return f"'{at.isoformat()}'"


def _read(value: Any, when: str) -> dt.date:
    if when == "hour":
        return from_sql(value)
    return dt.date.fromisoformat(value) if isinstance(value, str) else value


def _delete_empty(table: type[Model], day: dt.date) -> None:
    """Delete sums of nothing: of rows that never stood."""
    when = {"day": day} if table is LatencyDay else {
        "hour__gte": midnight(day), "hour__lt": midnight(day + DAY)
    }  # fmt: skip
    QuerySet(table).filter(**when, **dict.fromkeys(VALUES[table], 0)).delete()


def correct(costs: Mapping[uuid.UUID, int]) -> int:
    """Give rows of the log what they cost in the end, nUSD, and their sums; return how many.

    A charge may end after its row was written: a sweeper estimated it, or goodwill forgave it.
    Rows that do not stand are passed over. Locks: the rows. Raises: DatabaseError.
    """
    usage: dict[Key, list[int]] = {}
    labels: dict[Key, list[int]] = {}
    cost_only = [0] * (len(VALUES[UsageHour]) - 1)
    with transaction.atomic():
        rows = RequestLog.objects.select_for_update().filter(request_id__in=costs)
        changed = [row for row in rows if row.cost_nusd != costs[row.request_id]]
        for row in changed:
            more = costs[row.request_id] - row.cost_nusd
            hour = moment(row.request_id).replace(minute=0, second=0, microsecond=0)
            key = (row.account_id, hour, row.api_key_id or 0, row.model or "", row.vendor or "")
            sums.add_up(usage, key, [*cost_only, more])
            kinds = ((LabelHour.Kind.TAG, row.tag), (LabelHour.Kind.END_USER, row.end_user))
            for kind, label in kinds:
                if label:
                    sums.add_up(labels, (row.account_id, hour, kind.value, label), [0, more])
            RequestLog.objects.filter(pk=row.pk).update(cost_nusd=costs[row.request_id])
        sums.write(UsageHour, usage)
        sums.write(LabelHour, labels)
    return len(changed)
