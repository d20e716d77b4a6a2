"""After the window nothing of a request is left; before it everything is."""

import datetime as dt

import pytest
from django.db import connection

from accounts.timeids import DAY, bound
from logs import partitions, recorder, retention
from logs.models import RequestLog
from tests.logs.test_partitions import on_postgresql  # noqa: F401 - a fixture
from tests.logs.test_recorder import entry

TODAY = dt.date(2031, 3, 31)
DAYS = 30


def rows(*ages):
    entries = [entry(request_id=bound(TODAY - age * DAY)) for age in ages]
    recorder.write(entries)
    return {age: one.request_id for age, one in zip(ages, entries, strict=True)}


@pytest.fixture
def window(transactional_db, settings):
    """Thirty days before a day in 2031: today's own partitions are old then, and come back."""
    settings.LOG_RETENTION_DAYS = DAYS
    retention.forget(today=TODAY)
    yield
    partitions.ensure(today=dt.datetime.now(dt.UTC).date())


@pytest.mark.clause("4.3-retention")
def test_rows_older_than_the_window_are_gone(window):
    ids = rows(0, DAYS - 1, DAYS, DAYS + 1, DAYS + 400)
    assert retention.forget(today=TODAY) == 2
    left = set(RequestLog.objects.values_list("request_id", flat=True))
    assert left == {ids[0], ids[DAYS - 1], ids[DAYS]}
    assert retention.forget(today=TODAY) == 0


def test_a_backlog_goes_in_steps(window, monkeypatch):
    monkeypatch.setattr(retention, "DELETE_ROWS_MAX", 2)
    rows(100, 101, 102)
    assert [retention.forget(today=TODAY) for _ in range(3)] == [2, 1, 0]


@pytest.mark.postgresql
def test_old_partitions_are_dropped_whole(on_postgresql, window):  # noqa: F811
    old = TODAY - (DAYS + 9) * DAY
    partitions.ensure(today=old)
    recorder.write([entry(request_id=bound(old))])
    assert retention.forget(today=TODAY) >= partitions.DAYS_AHEAD + 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [f"logs_requestlog_{old:%Y%m%d}"])
        assert cursor.fetchone() == (None,)
    assert RequestLog.objects.count() == 0


def test_the_recorders_upkeep_forgets(window):
    rows(DAYS + 5)
    now = dt.datetime.combine(TODAY, dt.time(1), tzinfo=dt.UTC)
    partitions.Upkeep().run(now=now)
    assert RequestLog.objects.count() == 0
