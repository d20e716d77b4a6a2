"""Time-ordered ids (UUID version 7, RFC 9562), and the day partitions cut along them."""

import datetime as dt
import os
import time
import uuid

DAY = dt.timedelta(days=1)


def uuid7() -> uuid.UUID:
    """Make a new id whose first 48 bits are the Unix time in milliseconds."""
    millis = time.time_ns() // 1_000_000
    try:
        tail = _tails.pop()
    except IndexError:
        _refill()
        tail = _tails.pop()
    high = (millis << 16) | 0x7000 | (tail >> 68)
    low = (0b10 << 62) | (tail & 0x3FFF_FFFF_FFFF_FFFF)
    return uuid.UUID(int=(high << 64) | low)


# Random tails in stock: asking the system for each one gives the interpreter's lock away.
_tails: list[int] = []
TAIL_BYTES = 10
STOCK = 256
os.register_at_fork(after_in_child=_tails.clear)


def _refill() -> None:
    data = os.urandom(TAIL_BYTES * STOCK)
    _tails.extend(
        int.from_bytes(data[at : at + TAIL_BYTES], "big") for at in range(0, len(data), TAIL_BYTES)
    )


def bound(day: dt.date) -> uuid.UUID:
    """Return the smallest id of a day (UTC)."""
    return uuid.UUID(int=(int(midnight(day).timestamp() * 1000) << 80))


def midnight(day: dt.date) -> dt.datetime:
    """Return the beginning of a day (UTC)."""
    return dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)


def moment(request_id: uuid.UUID) -> dt.datetime:
    """Return the time that an id carries, to the millisecond (UTC)."""
    return dt.datetime.fromtimestamp((request_id.int >> 80) / 1000, tz=dt.UTC)


def partition_sql(table: str, day: dt.date) -> str:
    """Return PostgreSQL's statement that makes the partition of one day, if missing."""
    name = f"{table}_{day:%Y%m%d}"
    return (
        f'CREATE TABLE IF NOT EXISTS "{name}" PARTITION OF "{table}" '
        f"FOR VALUES FROM ('{bound(day)}') TO ('{bound(day + DAY)}')"
    )


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
