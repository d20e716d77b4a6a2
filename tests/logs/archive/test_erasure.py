"""An erased account is in the archive no more, which is looked up and not assumed."""

import pytest

from logs.archive import erasure, feed, pseudonyms, watermarks
from logs.archive.base import Away, Config
from logs.models import ArchiveKey, ArchiveRejection, RequestLog
from tests.logs.archive.test_feed import HOUR, NOON, SETTLED, archive_sums, log_sums, write

NOW = NOON + 30 * HOUR
ALICE, BOB = 10**9, 10**9 + 1


@pytest.fixture
def filled(archive):
    """Two accounts that called on two days."""
    for hour in (NOON, NOON + 24 * HOUR):
        write(hour=hour, rows=5, account_id=ALICE)
        write(hour=hour + HOUR / 2, rows=3, account_id=BOB)
    feed.run(now=NOW)
    return archive


@pytest.mark.clause("5-delete")
def test_an_account_is_erased_and_the_others_stay(filled):
    assert (erasure.search(account_id=ALICE), erasure.search(account_id=BOB)) == (10, 6)
    RequestLog.objects.filter(account_id=ALICE).delete()
    done = erasure.erase(account_id=ALICE, now=NOW)
    assert (done.rows, done.keys, done.unreached) == (10, 2, ())
    assert filled.rows("SELECT COUNT(*) FROM {requests}") == [(6,)]
    assert (erasure.search(account_id=ALICE), erasure.search(account_id=BOB)) == (0, 6)
    living = ArchiveKey.objects.exclude(secret=b"").exclude(account_id=pseudonyms.NOBODY)
    assert set(living.values_list("account_id", flat=True)) == {BOB}
    for hours in (2, 5, 30, 50):  # no later comparison brings it back
        feed.run(now=NOW + hours * HOUR)
    assert archive_sums(filled) == log_sums()
    assert erasure.erase(account_id=ALICE, now=NOW).rows == 0


@pytest.mark.clause("5-delete")
def test_rows_that_the_log_still_holds_come_back_as_nobodys_at_most(filled):
    assert erasure.erase(account_id=ALICE, now=NOW).rows == 10
    write(hour=NOON + 29 * HOUR, rows=2, account_id=ALICE)  # they still ran
    write(hour=NOON + 24 * HOUR, rows=1, account_id=BOB)  # a late one: the hour is sent again
    feed.run(now=NOW + 2 * HOUR)
    assert erasure.search(account_id=ALICE) == 0
    named = filled.rows("SELECT COUNT(DISTINCT account) FROM {requests} WHERE account <> ''")
    assert named == [(2,)], "BOB's name on each of two days, and no other"
    RequestLog.objects.filter(account_id=ALICE).delete()
    for hours in (5, 9, 30, 50):
        feed.run(now=NOW + hours * HOUR)
    assert archive_sums(filled) == log_sums()


def test_rows_are_gone_from_the_files_not_only_marked(clickhouse, settings, transactional_db):
    settings.ARCHIVE = clickhouse.config
    write(hour=NOON, rows=5, account_id=ALICE)
    write(hour=NOON, rows=5, account_id=BOB)
    feed.run(now=NOON + HOUR + SETTLED)
    erasure.erase(account_id=ALICE, now=NOON + 3 * HOUR)
    database = clickhouse.config.database
    ((rows, has_marks),) = clickhouse.rows(
        "SELECT SUM(rows), MAX(has_lightweight_delete) FROM system.parts "  # noqa: S608
        f"WHERE database = '{database}' AND table = 'requests' AND active"
    )
    assert (rows, has_marks) == (5, 0)


def test_an_archive_that_is_away_leaves_the_account_findable(filled):
    filled.go_away()
    with pytest.raises(Away):
        erasure.erase(account_id=ALICE, now=NOW)
    assert ArchiveKey.objects.filter(account_id=ALICE).count() == 2
    filled.come_back()
    assert erasure.erase(account_id=ALICE, now=NOW).rows == 10


def test_it_waits_while_the_archive_is_fed(filled):
    held = watermarks.locked(watermarks.feed_of(filled.config.name), now=NOW)
    with held, pytest.raises(watermarks.Busy):
        erasure.erase(account_id=ALICE, now=NOW)
    assert erasure.search(account_id=ALICE) == 10


def test_an_archive_that_was_switched_off_is_told_and_its_rows_mean_nothing(filled, settings):
    settings.ARCHIVE = Config()
    done = erasure.erase(account_id=ALICE, now=NOW)
    assert (done.archive, done.keys, done.unreached) == ("", 2, (filled.config.name,))


def test_rejected_requests_of_the_account_are_forgotten(filled):
    filled.grow_picky()
    write(hour=NOON + 30 * HOUR, rows=1, account_id=ALICE, jurisdiction="ATLANTIS")
    write(hour=NOON + 30 * HOUR, rows=1, account_id=BOB)
    feed.run(now=NOON + 31 * HOUR + SETTLED)
    assert ArchiveRejection.objects.filter(account_id=ALICE).exists()
    erasure.erase(account_id=ALICE, now=NOON + 32 * HOUR)
    assert not ArchiveRejection.objects.filter(account_id=ALICE).exists()
