"""Time-ordered ids (UUID version 7, RFC 9562), and the day partitions cut along them."""

import datetime as dt
import os
import time
import uuid

DAY = dt.timedelta(days=1)


def uuid7() -> uuid.UUID:
    """Make a new id whose first 48 bits are the Unix time in milliseconds."""
    millis = time.time_ns() // 1_000_000
    tail = int.from_bytes(os.urandom(10), "big")
    high = (millis << 16) | 0x7000 | (tail >> 68)
    low = (0b10 << 62) | (tail & 0x3FFF_FFFF_FFFF_FFFF)
    return uuid.UUID(int=(high << 64) | low)


def bound(day: dt.date) -> uuid.UUID:
    """Return the smallest id of a day (UTC)."""
    midnight = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
    return uuid.UUID(int=(int(midnight.timestamp() * 1000) << 80))


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
