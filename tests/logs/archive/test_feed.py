"""The archive holds each hour once and whole, whatever fails on the way."""

import datetime as dt

import pytest
from django.db.models import Count, Sum

from accounts.timeids import DAY, uuid7_at
from logs import recorder
from logs.archive import feed, sinks, watermarks
from logs.archive.base import REQUESTS, Config
from logs.models import ArchiveBatch, ArchiveFeed, ArchiveKey, ArchiveRejection, RequestLog
from tests.logs.archive.archives import SUMS
from tests.logs.test_recorder import ALL, entry

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
SETTLED = 36 * MINUTE
# When the day of NOON leaves a log of thirty days.
LEAVES = dt.datetime(2026, 12, 21, tzinfo=dt.UTC)
State = ArchiveBatch.State


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
    ((rows, *found),) = archive.rows(f"SELECT COUNT(*), {sums} FROM {{requests}}")  # noqa: S608
    ((different,),) = archive.rows("SELECT COUNT(DISTINCT row_id) FROM {requests}")
    assert rows == different, "a row stands twice"
    return (rows, *(value or 0 for value in found))


def feed_row():
    return ArchiveFeed.objects.get()


def lag(now):
    return watermarks.health(ArchiveFeed.objects.get(), now=now).lag


@pytest.mark.clause("4.1-olap")
def test_rows_and_sums_are_equal_on_both_sides(archive):
    write(hour=NOON, rows=40)
    write(hour=NOON + 2 * HOUR, rows=7, account_id=None, model=None, vendor=None)
    feed.run(now=NOON + 3 * HOUR + SETTLED)
    assert archive_sums(archive) == log_sums()
    assert set(ArchiveBatch.objects.values_list("hour", "rows", "state")) == {
        (NOON, 40, "sent"), (NOON + HOUR, 0, "sent"), (NOON + 2 * HOUR, 7, "sent"),
    }  # fmt: skip


@pytest.mark.clause("4.1-olap")
def test_no_row_holds_what_names_a_person(archive):
    (row,) = write(hour=NOON, rows=1, account_id=70_001, api_key_id=90_002)
    feed.run(now=NOON + HOUR + SETTLED)
    (kept,) = archive.rows("SELECT * FROM {requests}")
    told = " ".join(map(str, kept))
    for hidden in (str(row.request_id), row.request_id.hex, "70001", "90002", row.source_ip,
                   row.tag, row.end_user):  # fmt: skip
        assert hidden not in told
    assert "openai/gpt-5" in told


def test_an_account_has_another_name_each_day(archive):
    for day in range(2):
        write(hour=NOON + day * 24 * HOUR, rows=4, account_id=5)
    feed.run(now=NOON + 25 * HOUR + SETTLED)
    names = archive.rows("SELECT day, account, COUNT(*) FROM {requests} GROUP BY day, account")
    assert sorted(rows for _, _, rows in names) == [4, 4]
    assert len({name for _, name, _ in names}) == 2


def test_an_hour_is_sent_when_its_longest_request_must_have_ended(archive):
    write(hour=NOON)
    feed.run(now=NOON + HOUR + 34 * MINUTE)
    assert not ArchiveBatch.objects.exists()
    feed.run(now=NOON + HOUR + SETTLED)
    assert archive_sums(archive)[0] == 3


def test_an_hour_sent_again_doubles_nothing(archive):
    write(hour=NOON, rows=20)
    now = NOON + HOUR + SETTLED
    feed.run(now=now)
    # As after a crash between the archive's commit and ours.
    ArchiveBatch.objects.update(state=State.SENDING, sent_at=None, rows=0, due_at=now)
    feed.run(now=now)
    assert archive_sums(archive) == log_sums()
    assert ArchiveBatch.objects.get().attempts == 2


@pytest.mark.clause("4.1-olap")
def test_rows_that_come_late_are_sent_too(archive):
    write(hour=NOON, rows=5)
    feed.run(now=NOON + HOUR + SETTLED)
    write(hour=NOON + MINUTE, rows=2)  # the database was away for long
    feed.run(now=NOON + 2 * HOUR)
    assert archive_sums(archive)[0] == 5
    feed.run(now=NOON + 4 * HOUR)
    assert archive_sums(archive) == log_sums()
    assert archive_sums(archive)[0] == 7


@pytest.mark.clause("4.1-olap")
def test_rows_that_come_days_late_are_sent_once(archive):
    write(hour=NOON, rows=5)
    feed.run(now=NOON + HOUR + SETTLED)
    for age in watermarks.CHECK_AGES[:4]:
        feed.run(now=NOON + HOUR + age)
    write(hour=NOON + MINUTE, rows=2)
    RequestLog.objects.filter(account_id=1).update(cost_nusd=5)  # corrected by the books
    for now in (NOON + 5 * DAY, NOON + 17 * DAY, LEAVES - MINUTE):
        feed.run(now=now)
        assert archive_sums(archive) == log_sums()
    assert archive_sums(archive) == log_sums()
    assert archive_sums(archive)[0] == 7
    assert feed_row().missed_rows == 0


def test_rows_after_the_last_comparison_are_counted(archive):
    write(hour=NOON, rows=5)
    feed.run(now=NOON + HOUR + SETTLED)
    feed.run(now=LEAVES - watermarks.LAST_CHECK)
    write(hour=NOON + MINUTE, rows=2)
    feed.run(now=LEAVES - MINUTE)
    assert feed_row().missed_rows == 0, "its day has not left yet"
    for minute in range(3):
        feed.run(now=LEAVES + minute * MINUTE)
    assert (feed_row().missed_rows, feed_row().missed_at) == (2, LEAVES)


def test_hours_that_never_arrived_are_counted(archive):
    write(hour=NOON, rows=5)
    feed.run(now=NOON + HOUR + SETTLED)
    archive.break_table()
    write(hour=NOON + HOUR, rows=4)
    for hours in (2, 3):
        feed.run(now=NOON + hours * HOUR + SETTLED)
    feed.run(now=LEAVES + MINUTE)
    assert feed_row().missed_rows == 4


@pytest.mark.alone
def test_rows_of_a_day_that_has_left_are_counted_by_whoever_writes_them(archive, caplog):
    write(hour=NOON, rows=5)
    feed.run(now=NOON + HOUR + SETTLED)
    write(hour=NOON + MINUTE, rows=1)  # its batch stands: it is compared again
    assert feed_row().missed_rows == 0
    feed.run(now=LEAVES - watermarks.LAST_CHECK)
    feed.run(now=LEAVES)
    write(hour=NOON + 2 * MINUTE, rows=3)
    assert feed_row().missed_rows == 3
    assert "requests too late for the archive" in caplog.text
    write(hour=LEAVES, rows=2)  # not fed yet
    assert feed_row().missed_rows == 3


def test_what_the_archive_lost_is_sent_again(archive):
    write(hour=NOON, rows=5)
    feed.run(now=NOON + HOUR + SETTLED)
    sink = sinks.connect(archive.config)
    lost = archive.rows("SELECT row_id FROM {requests}")[0][0]
    sink.erase(table=REQUESTS, column="row_id", values=[lost])
    assert archive_sums(archive)[0] == 4
    feed.run(now=NOON + 4 * HOUR)
    assert archive_sums(archive)[0] == 5


def test_an_hour_that_stands_is_only_compared(archive):
    write(hour=NOON)
    times = [NOON + HOUR + SETTLED, *(NOON + HOUR + age for age in watermarks.CHECK_AGES)]
    for now in (*times, LEAVES - watermarks.LAST_CHECK):
        feed.run(now=now)
    batch = ArchiveBatch.objects.get(hour=NOON)
    assert (batch.attempts, batch.due_at) == (1, None)


@pytest.mark.alone
@pytest.mark.clause("4.1-olap")
def test_an_hour_of_outage_is_caught_up_in_order(archive):
    write(hour=NOON)
    feed.run(now=NOON + HOUR + SETTLED)
    away_at = NOON + 2 * HOUR + SETTLED
    archive.go_away()
    tries = 0
    for minute in range(60):
        if minute % 20 == 0:
            write(hour=NOON + HOUR + minute * MINUTE / 4, rows=4)
        before = ArchiveFeed.objects.get().failures
        feed.run(now=away_at + minute * MINUTE)
        tries += ArchiveFeed.objects.get().failures - before
    state = ArchiveFeed.objects.get()
    assert state.away_since == away_at
    assert state.error == "no_answer"
    assert 4 <= tries <= 9, "it waits longer each time"
    assert lag(away_at + HOUR) >= HOUR
    archive.come_back()
    feed.run(now=away_at + 80 * MINUTE)
    assert archive_sums(archive) == log_sums()
    state = ArchiveFeed.objects.get()
    assert (state.failures, state.away_since, state.error) == (0, None, "")
    assert lag(away_at + 80 * MINUTE) == dt.timedelta()


@pytest.mark.clause("4.1-olap")
def test_rows_that_the_archive_rejects_are_named_and_the_rest_goes_on(archive):
    write(hour=NOON - HOUR)
    feed.run(now=NOON + SETTLED)
    archive.grow_picky()
    write(hour=NOON, rows=9)
    (bad,) = write(hour=NOON + MINUTE / 7, rows=1, jurisdiction="ATLANTIS", account_id=77)
    write(hour=NOON + HOUR)
    feed.run(now=NOON + 2 * HOUR + SETTLED)
    rejected = ArchiveRejection.objects.get()
    assert (rejected.request_id, rejected.account_id) == (bad.request_id, 77)
    batch = ArchiveBatch.objects.get(hour=NOON)
    assert (batch.rows, batch.rejected, batch.state) == (10, 1, State.SENT)
    assert archive_sums(archive)[0] == log_sums()[0] - 1
    assert archive_sums(archive)[3] == log_sums()[3] - bad.cost_nusd
    feed.run(now=NOON + 4 * HOUR)  # compared, and not sent again
    assert ArchiveBatch.objects.get(hour=NOON).attempts == 1


def test_an_hour_that_the_archive_refuses_leaves_what_was_there(archive):
    write(hour=NOON, rows=5)
    feed.run(now=NOON + HOUR + SETTLED)
    archive.break_table()
    write(hour=NOON + MINUTE, rows=1)
    write(hour=NOON + HOUR, rows=2)
    feed.run(now=NOON + 4 * HOUR)
    assert set(ArchiveBatch.objects.values_list("state", flat=True)) >= {State.REFUSED}
    assert archive_sums(archive)[0] == 5, "nothing half done"
    archive.repair_table()
    feed.run(now=NOON + 8 * HOUR)
    assert archive_sums(archive) == log_sums()
    assert not ArchiveBatch.objects.filter(state=State.REFUSED).exists()


def test_two_processes_do_not_feed_at_once(archive):
    write(hour=NOON)
    now = NOON + HOUR + SETTLED
    with watermarks.locked(watermarks.feed_of(archive.config.name), now=now):
        assert feed.run(now=now) == 0
    assert not ArchiveBatch.objects.exists()
    assert feed.run(now=now) == 1


def test_a_dead_holder_does_not_hold_for_ever(archive):
    write(hour=NOON)
    now = NOON + HOUR + SETTLED
    state = watermarks.feed_of(archive.config.name)
    ArchiveFeed.objects.update(holder="dead", locked_until=now + watermarks.LOCK)
    assert feed.run(now=now) == 0
    assert feed.run(now=now + watermarks.LOCK) == 1
    state.refresh_from_db()
    assert state.locked_until is None


def test_a_long_backlog_goes_in_steps(archive):
    write(hour=NOON)
    now = NOON + 6 * HOUR + SETTLED
    assert feed.run(now=now, budget_s=0) == 1
    assert feed.run(now=now) == 5


@pytest.mark.django_db
def test_nothing_happens_while_it_is_off(settings):
    settings.ARCHIVE = Config()
    write(hour=NOON)
    assert feed.run(now=NOON + 5 * HOUR) == 0
    assert not ArchiveFeed.objects.exists()
    assert not ArchiveKey.objects.exists()


def test_a_large_hour_is_uploaded_in_pieces(bigquery, settings, transactional_db, monkeypatch):
    monkeypatch.setattr("google.cloud.bigquery.client._MAX_MULTIPART_SIZE", 10)
    settings.ARCHIVE = bigquery.config
    write(hour=NOON, rows=30)
    feed.run(now=NOON + HOUR + SETTLED)
    assert any("/upload/" in call and call.startswith("PUT") for call in bigquery.server.calls)
    assert archive_sums(bigquery) == log_sums()


def test_a_job_that_was_taken_without_an_answer_is_not_done_twice(
    bigquery, settings, transactional_db
):
    settings.ARCHIVE = bigquery.config
    write(hour=NOON, rows=3)

    def lose_the_answer(kind, moment):
        if (kind, moment) == ("load", "after"):
            bigquery.server.on_job = lambda *_: None
            raise ConnectionAbortedError

    bigquery.server.on_job = lose_the_answer
    feed.run(now=NOON + HOUR + SETTLED)
    assert ArchiveBatch.objects.get().sent_at is None
    feed.run(now=NOON + HOUR + SETTLED + HOUR / 2)
    assert archive_sums(bigquery) == log_sums()
