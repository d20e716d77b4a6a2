"""Sums by hour in SQL: the hour of an id, the day of an hour, hours added up by day (pure)."""

import datetime as dt
from collections.abc import Sequence

from accounts.timeids import midnight

# Sums by hour are kept for so many days, today included; older ones are sums by day.
KEPT_DAYS = 3
# Labels are many: of theirs only today's hours are kept.
LABELS_KEPT_DAYS = 1


def hour_sql(vendor: str, column: str) -> str:
    """Return SQL for the hour (UTC) that an id in `column` carries, as Django stores a time."""
    if vendor == "postgresql":
        millis = f"('x' || left(replace({column}::text, '-', ''), 12))::bit(48)::bigint"
        return f"to_timestamp({millis} / 3600000 * 3600)"
    # SQLite keeps ids as 32 hexadecimal digits, and has no function that reads them.
    digits = [
        f"(instr('123456789abcdef', substr({column}, {place}, 1)) << {4 * (12 - place)})"
        for place in range(1, 13)
    ]
    return f"strftime('%%Y-%%m-%%d %%H:00:00', ({' + '.join(digits)}) / 1000, 'unixepoch')"


def day_sql(vendor: str, column: str) -> str:
    """Return SQL for the day (UTC) of a time in `column`."""
    if vendor == "postgresql":
        return f"({column} AT TIME ZONE 'UTC')::date"
    return f"substr({column}, 1, 10)"


def from_sql(value: str | dt.date) -> dt.datetime:
    """Read what the databases answer for hour_sql() and day_sql()."""
    if isinstance(value, str):
        return dt.datetime.fromisoformat(value).replace(tzinfo=dt.UTC)
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC)
    return midnight(value)


_MOVE = """
WITH gone AS (DELETE FROM {table} WHERE {old} RETURNING {names})
INSERT INTO {table} ({names}) SELECT {keys}, {day}, {sums} FROM gone GROUP BY {places} {upsert}
"""
_ADD = """
INSERT INTO {table} ({names}) SELECT {keys}, {day}, {sums} FROM {table} WHERE {old}
GROUP BY {places} {upsert}
"""
_DELETE = "DELETE FROM {table} WHERE {old}"


def fold_sql(vendor: str, table: str, keys: Sequence[str], values: Sequence[str]) -> list[str]:
    """Return SQL that adds a table's hours before a time (its one value) up by day, at midnight.

    `keys` are unique together with the hour. For one transaction. What is added meanwhile is not
    lost: PostgreSQL deletes rows as they are then, SQLite has one writer.
    """
    day, old = (
        "date_trunc('day', hour, 'UTC')",
        "hour < %s AND hour <> date_trunc('day', hour, 'UTC')",
    )
    statements = [_MOVE]
    if vendor == "sqlite":
        day = "substr(hour, 1, 10) || ' 00:00:00'"
        old = "hour < %s AND substr(hour, 12) <> '00:00:00'"
        statements = [_ADD, _DELETE]
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in values)
    words = {
        "table": table,
        "names": ", ".join((*keys, "hour", *values)),
        "keys": ", ".join(keys),
        "day": day,
        "old": old,
        "sums": ", ".join(f"SUM({name})" for name in values),
        "places": ", ".join(str(n + 1) for n in range(len(keys) + 1)),
        "upsert": f"ON CONFLICT ({', '.join((*keys, 'hour'))}) DO UPDATE SET {added}",
    }
    return [statement.format(**words) for statement in statements]
