"""Sums built again are those of the rows, however wrong they were and whoever writes meanwhile."""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from accounts.timeids import DAY
from logs import latency, recorder, rollups, sums
from logs.models import LabelHour, LatencyDay, RebuildTurn, RequestLog, UsageHour
from tests.logs.test_sums import TODAY, USER, assert_sums_are_the_rows, row

TABLES = (UsageHour, LabelHour, LatencyDay)


def state():
    return [
        sorted(table.objects.values_list(*sums.KEYS[table], *sums.VALUES[table]))
        for table in TABLES
    ]


def write(day=TODAY, n=40, start=1):
    recorder.write([
        row(start + i, day=day, hour=i % 24, account_id=1 + i % 3, api_key_id=i % 4 or None,
            model=f"a/{i % 3}" if i % 5 else None, status=200 if i % 7 else 500, total_ms=37 * i,
            cost_nusd=i, input_tokens=i, tag=f"t{i % 2}" if i % 3 else None,
            end_user=USER if i % 4 else None)
        for i in range(n)
    ])  # fmt: skip


def spoil():
    """Make sums wrong in every way: too much, too little, missing, of nothing."""
    first, second, third = UsageHour.objects.order_by("pk")[:3]
    UsageHour.objects.filter(pk=first.pk).update(cost_nusd=10**15, requests=0)
    UsageHour.objects.filter(pk=second.pk).update(output_tokens=7)
    third.delete()
    UsageHour.objects.create(account_id=99, hour=first.hour, requests=5, cost_nusd=5)
    LabelHour.objects.filter(pk=LabelHour.objects.first().pk).delete()
    LabelHour.objects.filter(kind="end_user").update(cost_nusd=1)
    LatencyDay.objects.filter(pk=LatencyDay.objects.first().pk).update(requests=50)


@pytest.mark.django_db
def test_wrong_sums_become_those_of_the_rows_and_twice_changes_nothing():
    write()
    right = state()
    assert rollups.rebuild(TODAY, today=TODAY) == rollups.Rebuilt()
    assert state() == right
    spoil()
    assert rollups.rebuild(TODAY, today=TODAY).changed >= 7
    assert state() == right
    assert_sums_are_the_rows()
    assert rollups.rebuild(TODAY, today=TODAY) == rollups.Rebuilt()
    assert state() == right


@pytest.mark.django_db
def test_days_that_are_added_up_are_rebuilt_as_days():
    old = TODAY - 9 * DAY
    write(day=old)
    write(day=old - DAY, n=5)
    sums.fold(today=TODAY)
    right = state()
    spoil()
    rollups.rebuild(old, today=TODAY)
    rollups.rebuild(old - DAY, today=TODAY)
    assert state() == right
    assert {one.hour.hour for one in UsageHour.objects.all()} == {0}


@pytest.mark.django_db
def test_other_days_are_left_alone():
    write()
    write(day=TODAY - DAY)
    LatencyDay.objects.filter(day=TODAY - DAY).delete()
    UsageHour.objects.filter(hour__lt=dt.datetime(2031, 3, 31, tzinfo=dt.UTC)).delete()
    wrong = state()
    rollups.rebuild(TODAY, today=TODAY)
    assert state() == wrong


@pytest.mark.django_db(transaction=True)
def test_rows_written_meanwhile_are_counted_once():
    write()
    spoil()
    stop = threading.Event()

    def keep_writing():
        batch = 0
        while not stop.is_set() and batch < 60:
            batch += 1
            write(n=20, start=1_000 * batch)
        connections.close_all()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        for _ in range(6):
            rollups.rebuild(TODAY, today=TODAY)
    finally:
        stop.set()
        writer.join()
    rollups.rebuild(TODAY, today=TODAY)
    assert_sums_are_the_rows()
    assert rollups.rebuild(TODAY, today=TODAY) == rollups.Rebuilt()


class Overtaken:
    """Waits, each time our connection has read every difference, for others to rebuild the day."""

    def __init__(self, times):
        self.times = times
        self._reads = 0

    def __call__(self, execute, sql, params, many, context):
        if self._reads == len(TABLES):  # what comes now takes the turn
            self._reads = 0
            if self.times:
                self.times -= 1
                with ThreadPoolExecutor(1) as other:
                    other.submit(self._overtake).result()
        self._reads += "HAVING" in sql
        return execute(sql, params, many, context)

    @staticmethod
    def _overtake():
        rollups.rebuild(TODAY, today=TODAY)
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_whoever_was_overtaken_counts_again():
    write()
    spoil()
    with connection.execute_wrapper(Overtaken(2)):
        assert rollups.rebuild(TODAY, today=TODAY) == rollups.Rebuilt(), "the others did it all"
    assert_sums_are_the_rows()
    assert RebuildTurn.objects.get().number == 3


@pytest.mark.django_db(transaction=True)
def test_whoever_is_overtaken_each_time_gives_up_and_changes_nothing():
    write()
    spoil()
    overtaken = Overtaken(rollups.TRIES_MAX)
    with connection.execute_wrapper(overtaken), pytest.raises(rollups.Contended):
        rollups.rebuild(TODAY, today=TODAY)
    assert overtaken.times == 0
    assert_sums_are_the_rows()


@pytest.mark.django_db
def test_a_corrected_cost_moves_the_sums_with_the_row():
    write()
    rows = list(RequestLog.objects.order_by("pk")[5:8])
    costs = {one.pk: 1_000 + n for n, one in enumerate(rows)}
    assert rollups.correct(costs) == 3
    assert rollups.correct(costs) == 0
    assert dict(RequestLog.objects.filter(pk__in=costs).values_list("pk", "cost_nusd")) == costs
    assert_sums_are_the_rows()
    assert rollups.rebuild(TODAY, today=TODAY) == rollups.Rebuilt()


@pytest.mark.django_db
def test_the_step_in_sql_is_the_step_in_python():
    times = sorted({0, 1, 2, *latency.TOPS, *(top + 1 for top in latency.TOPS), 10**9})
    rows = ", ".join(f"({ms})" for ms in times)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH t(ms) AS (VALUES {rows}) SELECT {latency.step_sql('ms')} FROM t ORDER BY ms"  # noqa: S608
        )
        assert [step for (step,) in cursor.fetchall()] == [latency.step(ms) for ms in times]
