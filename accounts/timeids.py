"""Time-ordered ids (UUID version 7, RFC 9562), and the day partitions cut along them."""

import datetime as dt
import os
import time
import uuid

DAY = dt.timedelta(days=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def uuid7() -> uuid.UUID:
    """Make a new id whose first 48 bits are the Unix time in milliseconds."""
    return _made(time.time_ns() // 1_000_000)


def uuid7_at(moment: dt.datetime) -> uuid.UUID:
    """Make a new id of a given time: it lies between the bounds of that time's day."""
    return _made((moment - _EPOCH) // dt.timedelta(milliseconds=1))


def _made(millis: int) -> uuid.UUID:
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
