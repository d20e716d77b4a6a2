"""What a legal hold names stays in the archive beyond the window, and goes when the hold ends."""

import datetime as dt

import pytest

from logs import holds, removal
from logs.archive import erasure, feed, pseudonyms
from logs.models import ArchiveFeed, ArchiveKey, HeldRequest, RequestLog
from tests import factories
from tests.logs.archive import archives
from tests.logs.archive.test_feed import HOUR, LEAVES, NOON, SETTLED, write

pytestmark = pytest.mark.clause("4.3-legal-hold")
DAY = dt.timedelta(days=1)
BOB = 10**9  # no account: its number is that of none that a test makes


@pytest.fixture
def alice(archive):
    """An account; its id, once its requests and BOB's are in the archive."""
    return fed()


def fed():
    account_id = factories.account_of(factories.user("alice")).pk
    write(hour=NOON, rows=5, account_id=account_id)
    write(hour=NOON + HOUR, rows=2, account_id=account_id)
    write(hour=NOON + HOUR / 2, rows=3, account_id=BOB)
    feed.run(now=NOON + 2 * HOUR + SETTLED)
    return account_id


def hold(account_id, *, until):
    made = holds.ask(account_id=account_id, reason="order 7", ends_at=until, actor="a", now=NOON)
    holds.approve(made.pk, actor="b", now=NOON)
    return made


def counts(archive):
    """Rows within the window, rows that are held, and names of those."""
    ((rows,),) = archive.rows("SELECT COUNT(*) FROM {requests}")
    ((held, names),) = archive.rows("SELECT COUNT(*), COUNT(DISTINCT account) FROM {held_requests}")
    return rows, held, names


def sums(archive, table, account_id):
    (name,) = pseudonyms.of([account_id])
    told = "COUNT(*), COUNT(DISTINCT row_id), SUM(cost_nusd), SUM(input_tokens), MIN(hour), MAX(at)"
    return archive.rows(f"SELECT {told} FROM {{{table}}} WHERE account = '{name}'")  # noqa: S608


def test_rows_of_a_held_account_outlive_the_window_and_go_with_the_hold(archive, alice):
    hold(alice, until=LEAVES + 9 * DAY)
    before = sums(archive, "requests", alice)
    feed.run(now=LEAVES)
    assert counts(archive) == (0, 7, 1)
    assert sums(archive, "held_requests", alice) == before
    assert not ArchiveKey.objects.filter(account_id=BOB).exists()
    for days in (1, 5, 8):
        feed.run(now=LEAVES + days * DAY)
        assert counts(archive) == (0, 7, 1)
        assert erasure.search(account_id=alice) == 7
    feed.run(now=LEAVES + 9 * DAY)
    assert counts(archive) == (0, 0, 0)
    assert not ArchiveKey.objects.exists()
    assert ArchiveFeed.objects.get().release_asked_at is None


def test_a_hold_that_is_ended_early_lets_rows_go_at_once(archive, alice):
    held = hold(alice, until=LEAVES + 90 * DAY)
    feed.run(now=LEAVES)
    holds.end(held.pk, actor="c", now=LEAVES + DAY)
    feed.run(now=LEAVES + DAY)
    assert counts(archive) == (0, 0, 0)


def test_of_two_holds_the_later_end_counts(archive, alice):
    hold(alice, until=LEAVES + DAY)
    hold(alice, until=LEAVES + 3 * DAY)
    feed.run(now=LEAVES)
    feed.run(now=LEAVES + 2 * DAY)
    assert counts(archive) == (0, 7, 1)
    feed.run(now=LEAVES + 3 * DAY)
    assert counts(archive) == (0, 0, 0)


def test_a_hold_that_nobody_approved_keeps_nothing(archive, alice):
    until = LEAVES + 9 * DAY
    holds.ask(account_id=alice, reason="order 7", ends_at=until, actor="a", now=NOON)
    feed.run(now=LEAVES)
    assert counts(archive) == (0, 0, 0)
    assert not ArchiveKey.objects.exists()


def test_rows_are_kept_although_the_log_let_them_go_first(archive, alice):
    hold(alice, until=LEAVES + 9 * DAY)
    removal.run(now=LEAVES, actor="test", is_forced=True)
    assert (RequestLog.objects.count(), HeldRequest.objects.count()) == (0, 7)
    feed.run(now=LEAVES + HOUR)
    assert counts(archive) == (0, 7, 1)


def test_the_hold_ends_while_the_archive_is_away(archive, alice):
    hold(alice, until=LEAVES + 2 * DAY)
    feed.run(now=LEAVES)
    archive.go_away()
    feed.run(now=LEAVES + 2 * DAY)
    assert not ArchiveKey.objects.exists(), "its rows are nobody's at once"
    archive.come_back()
    feed.run(now=LEAVES + 2 * DAY + HOUR)
    assert counts(archive) == (0, 0, 0)


def test_killed_while_a_day_goes_it_keeps_each_row_once(archive, settings):
    with archives.line(archive, settings) as line:
        hold(fed(), until=LEAVES + 9 * DAY)
        line.cut_after(0)
        feed.run(now=LEAVES)
        assert counts(archive) == (10, 7, 1), "the day goes only once its held rows stand"
        line.heal()
        feed.run(now=LEAVES + HOUR)
    assert counts(archive) == (0, 7, 1)


def test_an_account_that_is_erased_leaves_the_held_rows_too(archive, alice):
    hold(alice, until=LEAVES + 9 * DAY)
    feed.run(now=LEAVES)
    assert erasure.erase(account_id=alice, now=LEAVES + HOUR).rows == 7
    assert counts(archive) == (0, 0, 0)
