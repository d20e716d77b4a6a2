"""Beyond the window the archive holds sums of many accounts, and nothing else."""

import datetime as dt

import pytest

from logs.archive import feed, sinks
from logs.models import ArchiveBatch, ArchiveFeed, ArchiveKey
from tests.logs.archive import archives
from tests.logs.archive.test_feed import HOUR, NOON, SETTLED, write

DAY = dt.timedelta(days=1)
# The first moment at which the whole day of NOON lies beyond thirty days.
BEYOND = dt.datetime(2026, 12, 21, 1, tzinfo=dt.UTC)


def fill(archive):
    """A day on which 25 accounts called one model, 3 another one, and nobody's call failed."""
    for account_id in range(1, 26):
        write(hour=NOON, rows=2, account_id=account_id, total_ms=100)
    for account_id in range(1, 4):
        write(hour=NOON + HOUR, rows=1, account_id=account_id, model="rare/one", status=502)
    write(hour=NOON + HOUR, rows=1, account_id=None, model=None, vendor=None, status=401)
    feed.run(now=NOON + 2 * HOUR + SETTLED)


def test_day_31_leaves_sums_of_at_least_twenty_accounts(archive):
    fill(archive)
    write(hour=NOON + DAY)
    feed.run(now=BEYOND - 2 * HOUR)  # still within
    assert archive.rows("SELECT COUNT(*) FROM {requests}") == [(50 + 4 + 3,)]
    feed.run(now=BEYOND)
    assert archive.rows("SELECT COUNT(*) FROM {requests}") == [(3,)]  # of the day after
    days = archive.rows(
        "SELECT model, vendor, requests, errors, failures, cost_nusd, accounts FROM {request_days}"
    )
    # Of four accounts at most, the rare ones would be somebody's: they and the large one are one.
    assert [tuple(row) for row in days] == [
        ("other", "other", 54, 4, 3, 25 * 2001 + 4 * 1000, 25)
    ]  # fmt: skip
    ((steps,),) = archive.rows("SELECT SUM(requests) FROM {request_day_latency}")
    assert steps == 54


@pytest.mark.clause("4.3-retention")
def test_day_31_nothing_links_the_archive_to_a_person(archive):
    fill(archive)
    feed.run(now=BEYOND)
    assert archive.rows("SELECT COUNT(*) FROM {requests}") == [(0,)]
    assert not ArchiveKey.objects.exists()
    assert not ArchiveBatch.objects.filter(hour__lt=NOON + 12 * HOUR).exists()


def test_keys_are_destroyed_in_time_even_while_the_archive_is_away(archive):
    fill(archive)
    archive.go_away()
    feed.run(now=BEYOND)
    assert not ArchiveKey.objects.exists()
    archive.come_back()
    feed.run(now=BEYOND + HOUR)
    assert archive.rows("SELECT COUNT(*) FROM {requests}") == [(0,)]
    assert archive.rows("SELECT SUM(requests) FROM {request_days}") == [(54,)]


def test_a_day_of_few_accounts_leaves_nothing(archive):
    write(hour=NOON, rows=9)
    feed.run(now=NOON + HOUR + SETTLED)
    feed.run(now=BEYOND)
    assert archive.rows("SELECT COUNT(*) FROM {requests}") == [(0,)]
    assert archive.rows("SELECT COUNT(*) FROM {request_days}") == [(0,)]


def test_sums_are_not_made_again_once_rows_go(archive, settings):
    with archives.line(archive, settings) as line:
        fill(archive)
        line.cut_after(13)  # the hours until NOON go
        feed.run(now=BEYOND)
        assert archive.rows("SELECT COUNT(*) FROM {requests}") == [(4,)]
        line.heal()
        feed.run(now=BEYOND + HOUR)
    assert archive.rows("SELECT COUNT(*) FROM {requests}") == [(0,)]
    assert archive.rows("SELECT SUM(requests) FROM {request_days}") == [(54,)]
    assert ArchiveFeed.objects.get().aged_until == (NOON + DAY).date()


def test_the_archive_lets_rows_go_by_itself_when_nobody_does(clickhouse, settings):
    sink = sinks.connect(clickhouse.config)
    sink.prepare(kept_days=30)
    sink.prepare(kept_days=90)  # the setting changed
    ((made,),) = clickhouse.rows("SHOW CREATE TABLE {requests}")
    assert "TTL day + toIntervalDay(92)" in made
    assert "ttl_only_drop_parts = 1" in made
