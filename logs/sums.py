"""Sums of request logs by hour and day; added in the transaction that writes the rows.

Hours are for the latest days (of labels, for today); older ones are added up by day, and stand at
its midnight.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models import Model

from accounts.hours import KEPT_DAYS, LABELS_KEPT_DAYS, fold_sql
from accounts.timeids import DAY, midnight, moment
from logs import latency
from logs.models import LabelHour, LatencyDay, UsageHour

FAILED_FROM = 400
TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)

Key = tuple[Any, ...]


class Row(Protocol):
    """What a row of the request log tells the sums."""

    @property
    def request_id(self) -> UUID: ...
    @property
    def account_id(self) -> int | None: ...
    @property
    def api_key_id(self) -> int | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def vendor(self) -> str | None: ...
    @property
    def status(self) -> int: ...
    @property
    def total_ms(self) -> int: ...
    @property
    def cost_nusd(self) -> int: ...
    @property
    def tag(self) -> str | None: ...
    @property
    def end_user(self) -> str | None: ...


def add(rows: Sequence[Row]) -> None:
    """Add rows that were just written, each once, in the caller's transaction.

    Locks the sums' rows in one order for all writers. A row without an account is in no sum.
    """
    usage: dict[Key, list[int]] = {}
    labels: dict[Key, list[int]] = {}
    latencies: Counter[Key] = Counter()
    for row in rows:
        if row.account_id is None:
            continue
        hour = moment(row.request_id).replace(minute=0, second=0, microsecond=0)
        is_failed = row.status >= FAILED_FROM
        tokens = [getattr(row, name) for name in TOKENS]
        key = (row.account_id, hour, row.api_key_id or 0, row.model or "", row.vendor or "")
        add_up(usage, key, [1, int(is_failed), *tokens, row.cost_nusd])
        for kind, label in ((LabelHour.Kind.TAG, row.tag), (LabelHour.Kind.END_USER, row.end_user)):
            if label:
                add_up(labels, (row.account_id, hour, kind.value, label), [1, row.cost_nusd])
        if not is_failed:
            step = latency.step(row.total_ms)
            latencies[row.account_id, hour.date(), row.model or "", step] += 1
    write(UsageHour, usage)
    write(LabelHour, labels)
    write(LatencyDay, {key: [requests] for key, requests in latencies.items()})


def add_up(sums: dict[Key, list[int]], key: Key, values: list[int]) -> None:
    """Add values to those that a key has."""
    found = sums.get(key)
    sums[key] = values if found is None else [a + b for a, b in zip(found, values, strict=True)]


# The columns of each table: those of its key with PostgreSQL's types, then what is added up.
KEYS: dict[type[Model], Mapping[str, str]] = {
    UsageHour: {
        "account_id": "bigint",
        "hour": "timestamptz",
        "api_key_id": "bigint",
        "model": "text",
        "vendor": "text",
    },
    LabelHour: {"account_id": "bigint", "hour": "timestamptz", "kind": "text", "label": "text"},
    LatencyDay: {"account_id": "bigint", "day": "date", "model": "text", "step": "smallint"},
}
VALUES: dict[type[Model], Sequence[str]] = {
    UsageHour: ("requests", "errors", *TOKENS, "cost_nusd"),
    LabelHour: ("requests", "cost_nusd"),
    LatencyDay: ("requests",),
}


def _statement(table: type[Model], source: str) -> str:
    keys, values = KEYS[table], VALUES[table]
    name = table._meta.db_table
    added = ", ".join(f"{value} = {name}.{value} + excluded.{value}" for value in values)
    return (
        f"INSERT INTO {name} ({', '.join((*keys, *values))}) {source}"
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {added}"
    )


def _one_row(table: type[Model]) -> str:
    places = ", ".join(["%s"] * (len(KEYS[table]) + len(VALUES[table])))
    return _statement(table, f"VALUES ({places})")


def _all_rows(table: type[Model]) -> str:
    """Return PostgreSQL's statement for all rows at once: one value to bind, however many."""
    types = {**KEYS[table], **dict.fromkeys(VALUES[table], "bigint")}
    columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
    return _statement(table, f"SELECT * FROM json_to_recordset(%s) AS r ({columns})")  # noqa: S608


ONE_ROW = {table: _one_row(table) for table in KEYS}
ALL_ROWS = {table: _all_rows(table) for table in KEYS}


def write(table: type[Model], sums: Mapping[Key, list[int]]) -> None:
    """Add values to a table's sums, or begin them; the caller's transaction."""
    if not sums:
        return
    rows = [(*key, *sums[key]) for key in sorted(sums)]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            names = (*KEYS[table], *VALUES[table])
            told = [dict(zip(names, row, strict=True)) for row in rows]
            cursor.execute(ALL_ROWS[table], [orjson.dumps(told).decode()])
        else:
            cursor.executemany(ONE_ROW[table], [tuple(map(_plain, row)) for row in rows])


def _plain(value: Any) -> Any:
    """Write a time as Django does where the database has no type for it."""
    if isinstance(value, dt.datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, dt.date):
        return connection.ops.adapt_datefield_value(value)
    return value


# For how many days each table keeps hours, today included.
HOURLY: dict[type[Model], int] = {UsageHour: KEPT_DAYS, LabelHour: LABELS_KEPT_DAYS}


def fold(*, today: dt.date) -> int:
    """Add hours older than HOURLY says up by day; return how many rows that changed."""
    changed = 0
    for table, days in HOURLY.items():
        before = _plain(midnight(today - (days - 1) * DAY))
        keys = [name for name in KEYS[table] if name != "hour"]
        with transaction.atomic(), connection.cursor() as cursor:
            for sql in fold_sql(connection.vendor, table._meta.db_table, keys, VALUES[table]):
                cursor.execute(sql, [before])
                changed += max(cursor.rowcount, 0)
    return changed
