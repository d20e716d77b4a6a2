"""The archive holds each hour once and whole, whatever fails on the way."""

import datetime as dt

import pytest
from django.db.models import Count, Sum

from accounts.timeids import uuid7_at
from logs import recorder
from logs.archive import feed
from logs.models import ArchiveBatch, ArchiveFeed, ArchiveRejection, RequestLog
from tests.logs.archive.archives import SUMS
from tests.logs.test_recorder import ALL, entry

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SETTLED = dt.timedelta(minutes=36)


def write(*, hour, rows=3, **fields):
    """Requests of an hour, of several accounts."""
    entries = [
        entry(**{
            **ALL, "request_id": uuid7_at(hour + dt.timedelta(seconds=7 * n)),
            "created_at": hour, "account_id": 1 + n % 3, "cost_nusd": 1000 + n, **fields,
        })
        for n in range(rows)
    ]  # fmt: skip
    recorder.write(entries)
    return entries


def log_sums():
    sums = RequestLog.objects.aggregate(
        rows=Count("request_id"), **{f"sum_{name}": Sum(name) for name in SUMS}
    )
    return tuple(value or 0 for value in sums.values())


def archive_sums(archive):
    sums = ", ".join(f"SUM({name})" for name in SUMS)
    ((rows, *found),) = archive.rows(f"SELECT COUNT(*), {sums} FROM {{requests}}")
    ((different,),) = archive.rows("SELECT COUNT(DISTINCT row_id) FROM {requests}")
    assert rows == different, "a row stands twice"
    return (rows, *(value or 0 for value in found))


@pytest.mark.clause("4.1-olap")
def test_rows_and_sums_are_equal_on_both_sides(archive):
    write(hour=NOON, rows=40)
    write(hour=NOON + 2 * HOUR, rows=7, account_id=None, model=None, vendor=None)
    feed.run(now=NOON + 3 * HOUR + SETTLED)
    assert archive_sums(archive) == log_sums()
    assert set(ArchiveBatch.objects.values_list("hour", "rows", "state")) == {
        (NOON, 40, "sent"), (NOON + HOUR, 0, "sent"), (NOON + 2 * HOUR, 7, "sent"),
    }  # fmt: skip
