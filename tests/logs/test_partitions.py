"""PostgreSQL always has the day's partition; a missed day is made good."""

import datetime as dt

import pytest
from django.db import connection

from accounts.timeids import DAY, bound
from logs import partitions, recorder
from logs.models import RequestLog
from tests.logs.test_recorder import entry

FAR = dt.date(2031, 3, 1)


def _partitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits "
            "WHERE inhparent = 'logs_requestlog'::regclass"
        )
        return {name for (name,) in cursor.fetchall()}


@pytest.fixture
def on_postgresql(transactional_db):
    before = _partitions()
    yield
    with connection.cursor() as cursor:
        for name in _partitions() - before:
            cursor.execute(f'DROP TABLE "{name}"')


@pytest.mark.sqlite
@pytest.mark.django_db
def test_other_databases_have_nothing_to_make():
    assert partitions.ensure(today=FAR) == 0


@pytest.mark.postgresql
def test_the_migration_makes_a_week_and_a_default(on_postgresql):
    today = dt.datetime.now(dt.UTC).date()
    wanted = {f"logs_requestlog_{today + n * DAY:%Y%m%d}" for n in range(1, 7)}
    assert wanted | {"logs_requestlog_default"} <= _partitions()


@pytest.mark.postgresql
def test_makes_the_missing_days_once(on_postgresql):
    assert partitions.ensure(today=FAR) == partitions.DAYS_AHEAD + 1
    assert partitions.ensure(today=FAR) == 0
    assert partitions.ensure(today=FAR + DAY) == 1


@pytest.mark.postgresql
def test_rows_of_a_missed_day_move_into_its_partition(on_postgresql):
    inside = entry(request_id=bound(FAR), cost_nusd=42)
    outside = entry(request_id=bound(FAR + 30 * DAY))
    recorder.write([inside, outside])
    partitions.ensure(today=FAR)
    with connection.cursor() as cursor:
        cursor.execute('SELECT request_id, cost_nusd FROM "logs_requestlog_20310301"')
        assert cursor.fetchall() == [(inside.request_id, 42)]
        cursor.execute('SELECT request_id FROM "logs_requestlog_default"')
        assert cursor.fetchall() == [(outside.request_id,)]
    assert RequestLog.objects.count() == 2


@pytest.mark.postgresql
def test_a_partition_has_the_indexes_of_the_whole(on_postgresql):
    recorder.write([entry(request_id=bound(FAR))])
    partitions.ensure(today=FAR)  # one day by the way of moving rows, the others plainly
    names = ["logs_requestlog", *(f"logs_requestlog_{day:%Y%m%d}" for day in (FAR, FAR + DAY))]
    with connection.cursor() as cursor:
        counts = []
        for name in names:
            cursor.execute("SELECT count(*) FROM pg_indexes WHERE tablename = %s", [name])
            counts.append(cursor.fetchone()[0])
    assert counts[0] > 2
    assert set(counts) == {counts[0]}


@pytest.mark.postgresql
def test_upkeep_survives_a_lock_and_tries_again_in_a_minute(on_postgresql):
    other = connection.copy()
    now = dt.datetime.combine(FAR, dt.time(), tzinfo=dt.UTC)
    upkeep = partitions.Upkeep()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE logs_requestlog IN ACCESS SHARE MODE")
            upkeep.run(now=now)
            cursor.execute("ROLLBACK")
    finally:
        other.close()
    assert "logs_requestlog_20310301" not in _partitions()
    upkeep.run(now=now + dt.timedelta(seconds=30))
    assert "logs_requestlog_20310301" not in _partitions()
    upkeep.run(now=now + dt.timedelta(seconds=61))
    assert "logs_requestlog_20310301" in _partitions()
