"""An archive that is new gets what legal holds keep of days that were over before it."""

import datetime as dt

import pytest

from logs import holds, removal
from logs.archive import feed, pseudonyms
from logs.models import ArchiveFeed, HeldRequest
from tests import factories
from tests.logs.archive.test_feed import HOUR, LEAVES, NOON, SETTLED, write
from tests.logs.archive.test_holding import BOB, DAY, counts, hold

pytestmark = pytest.mark.clause("4.3-legal-hold")


def kept_of(archive, account_id, *, day):
    """Sums of an account's rows of a day, counted from the first."""
    name = pseudonyms.of([account_id])[day]
    told = "COUNT(*), COUNT(DISTINCT row_id), SUM(cost_nusd), SUM(input_tokens), MIN(hour), MAX(at)"
    (found,) = archive.rows(f"SELECT {told} FROM {{held_requests}} WHERE account = '{name}'")  # noqa: S608
    return [str(each) for each in found]


@pytest.mark.parametrize("old", ["clickhouse", "bigquery"])
def test_an_archive_that_takes_anothers_place_gets_what_holds_kept(
    settings, transactional_db, clickhouse, bigquery, old
):
    first, second = (clickhouse, bigquery) if old == "clickhouse" else (bigquery, clickhouse)
    settings.ARCHIVE, settings.LOG_RETENTION_DAYS = first.config, 1
    alice = factories.account_of(factories.user("alice")).pk
    hold(alice, until=NOON + 90 * DAY)
    # Every second day, so that few hours are looked at; a day is over two days later.
    for day in range(0, 8, 2):
        write(hour=NOON + day * DAY, rows=2, account_id=alice)
        write(hour=NOON + day * DAY, rows=2, account_id=BOB)
        feed.run(now=NOON + day * DAY + 2 * HOUR + SETTLED)
    now = NOON + 8 * DAY + 2 * HOUR + SETTLED
    feed.run(now=now)
    removal.run(now=now, actor="test", is_forced=True)
    assert counts(first) == (0, 8, 4)
    kept = [kept_of(first, alice, day=day) for day in range(4)]
    settings.ARCHIVE = second.config
    write(hour=NOON + 8 * DAY, rows=2, account_id=BOB)
    second.go_away()
    feed.run(now=now)
    second.come_back()
    for minutes, days in ((20, 3), (21, 4), (22, 4)):
        feed.run(now=now + dt.timedelta(minutes=minutes))
        assert counts(second) == (2, 2 * days, days)
    assert [kept_of(second, alice, day=day) for day in range(4)] == kept
    assert ArchiveFeed.objects.get(archive=second.config.name).holds_unfilled_before is None


def test_a_new_archive_gets_nothing_of_holds_that_are_over(archive):
    account_id = factories.account_of(factories.user("alice")).pk
    held = hold(account_id, until=LEAVES + 90 * DAY)
    write(hour=NOON, rows=2, account_id=account_id)
    removal.run(now=LEAVES, actor="test", is_forced=True)
    assert HeldRequest.objects.count() == 2
    holds.end(held.pk, actor="c", now=LEAVES)
    write(hour=LEAVES, rows=2, account_id=account_id)
    feed.run(now=LEAVES + 2 * HOUR + SETTLED)
    assert counts(archive) == (2, 0, 0)
    assert ArchiveFeed.objects.get().holds_unfilled_before is None
