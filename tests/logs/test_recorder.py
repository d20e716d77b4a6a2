"""The recorder writes every row once, waits out an outage and never holds a request up."""

import datetime as dt
import threading
import time

import pytest
from django.db import OperationalError, connection

from accounts import metrics
from accounts.timeids import uuid7
from logs import recorder
from logs.models import RequestLog
from tests.servers import wait_until

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
ALL = {
    "created_at": NOW,
    "account_id": 7,
    "api_key_id": 9,
    "source_ip": "2001:db8::1",
    "surface": "chat",
    "model": "openai/gpt-5",
    "endpoint": "a\tchannel\\:openai/gpt-5",  # characters that COPY must escape
    "vendor": "openai",
    "channel": "a\tchannel\\",
    "jurisdiction": "US",
    "is_stream": True,
    "input_tokens": 1,
    "cache_read_tokens": 2,
    "cache_write_tokens": 3,
    "output_tokens": 4,
    "reasoning_tokens": 5,
    "is_estimated": True,
    "cost_nusd": 1 << 60,
    "sent_ms": 15,
    "first_byte_ms": 120,
    "total_ms": 900,
    "status": 200,
    "finish_reason": "stop",
    "error_code": None,
    "tag": "team/a",
    "end_user": "0a" * 16,
}


def entry(**changes) -> recorder.Entry:
    values = {
        "request_id": uuid7(),
        "created_at": NOW,
        "surface": "chat",
        "total_ms": 5,
        "status": 200,
    }
    return recorder.Entry(**{**values, **changes})


@pytest.fixture
def writer(transactional_db):
    ours = recorder.Recorder(linger_s=0.01)
    ours.start()
    yield ours
    ours.stop(2)


def test_entry_has_exactly_the_fields_of_the_model():
    columns = {field.attname for field in RequestLog._meta.concrete_fields}
    assert set(recorder.FIELDS) == columns


@pytest.mark.clause("1.2-metadata")
@pytest.mark.django_db
def test_writes_every_field_as_given():
    row = entry(**ALL)
    assert recorder.write([row]) == 1
    stored = RequestLog.objects.get(request_id=row.request_id)
    assert {name: getattr(stored, name) for name in ALL} == ALL


@pytest.mark.django_db
def test_writes_nulls():
    row = entry()
    recorder.write([row])
    stored = RequestLog.objects.get()
    assert stored.account_id is None
    assert stored.source_ip is None
    assert stored.model is None
    assert stored.first_byte_ms is None


@pytest.mark.django_db
def test_writing_again_after_an_unknown_commit_changes_nothing():
    rows = [entry(cost_nusd=n) for n in range(5)]
    recorder.write(rows[:3])
    assert recorder.write(rows) == 5
    assert sorted(RequestLog.objects.values_list("cost_nusd", flat=True)) == [0, 1, 2, 3, 4]


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", [{"cost_nusd": 1 << 80}, {"cost_nusd": "x"}])
def test_one_impossible_row_does_not_take_the_others_with_it(wrong):
    before = metrics.LOG_DROPS.labels("refused")._value.get()
    rows = [entry(), entry(**wrong), entry()]
    assert recorder.write(rows) == 2
    assert set(RequestLog.objects.values_list("request_id", flat=True)) == {
        rows[0].request_id,
        rows[2].request_id,
    }
    assert metrics.LOG_DROPS.labels("refused")._value.get() == before + 1


@pytest.mark.parametrize("text", ["I cannot help with that", "STOP", "a" * 33, "x\n", ""])
def test_a_code_that_is_not_of_our_form_becomes_null(text):
    made = entry(finish_reason=text, error_code=text)
    assert made.finish_reason is None
    assert made.error_code is None


@pytest.mark.parametrize("text", ["alice@example.com", "1.2.3.4; drop", "unknown host", "x" * 60])
def test_an_address_that_is_none_becomes_null(text):
    assert entry(source_ip=text).source_ip is None


def test_a_surface_must_be_an_identifier():
    with pytest.raises(ValueError, match="identifier"):
        entry(surface="/v1/chat/completions?secret=1")


def test_the_thread_writes_what_is_put(writer):
    rows = [entry() for _ in range(50)]
    for row in rows:
        writer.put(row)
    wait_until(lambda: RequestLog.objects.count() == 50, what="fifty rows")


def test_stop_writes_what_waits(transactional_db):
    ours = recorder.Recorder(linger_s=60)
    ours.start()
    time.sleep(0.05)
    for _ in range(2_500):
        ours.put(entry())
    assert ours.stop(20) is True
    assert RequestLog.objects.count() == 2_500
    assert ours.waiting() == 0


def test_starts_again_after_a_stop(writer):
    writer.stop()
    writer.start()
    writer.put(entry())
    wait_until(lambda: RequestLog.objects.count() == 1, what="the row")


def test_drops_and_counts_what_exceeds_the_bound():
    ours = recorder.Recorder(rows_max=10)
    before = metrics.LOG_DROPS.labels("full")._value.get()
    for _ in range(15):
        ours.put(entry())
    assert ours.waiting() == 10
    assert metrics.LOG_DROPS.labels("full")._value.get() == before + 5


def test_keeps_rows_and_their_order_while_the_database_is_away(transactional_db):
    """The fault is at the table: it has another name for a while."""
    rename = 'ALTER TABLE "{}" RENAME TO "{}"'.format
    ours = recorder.Recorder(linger_s=0.01)
    failures = metrics.LOG_FAILURES._value.get()
    with connection.cursor() as cursor:
        cursor.execute(rename("logs_requestlog", "away"))
    try:
        ours.start()
        rows = [entry() for _ in range(20)]
        for row in rows:
            ours.put(row)
        wait_until(lambda: metrics.LOG_FAILURES._value.get() >= failures + 2, what="two failures")
    finally:
        with connection.cursor() as cursor:
            cursor.execute(rename("away", "logs_requestlog"))
    assert ours.stop(10) is True
    assert set(RequestLog.objects.values_list("request_id", flat=True)) == {
        row.request_id for row in rows
    }


def test_gives_up_at_the_deadline_and_says_so(transactional_db):
    rename = 'ALTER TABLE "{}" RENAME TO "{}"'.format
    ours = recorder.Recorder(linger_s=0.01)
    before = metrics.LOG_DROPS.labels("stopped")._value.get()
    with connection.cursor() as cursor:
        cursor.execute(rename("logs_requestlog", "away"))
    try:
        ours.start()
        ours.put(entry())
        started = time.monotonic()
        assert ours.stop(0.3) is False
        assert time.monotonic() - started < 3
    finally:
        with connection.cursor() as cursor:
            cursor.execute(rename("away", "logs_requestlog"))
    assert metrics.LOG_DROPS.labels("stopped")._value.get() == before + 1


def test_put_does_not_wait_for_a_database_that_hangs(transactional_db):
    """An open transaction that locks the table must not be felt by the caller of put()."""
    ours = recorder.Recorder(linger_s=0.001)
    row = entry()
    ours.start()
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        if connection.vendor == "postgresql":
            cursor.execute("LOCK TABLE logs_requestlog IN ACCESS EXCLUSIVE MODE")
        else:
            cursor.execute("UPDATE logs_requestlog SET status = status")
        slowest = 0.0
        for _ in range(200):
            started = time.perf_counter()
            ours.put(row)
            slowest = max(slowest, time.perf_counter() - started)
            time.sleep(0.001)
        cursor.execute("ROLLBACK")
    assert slowest < 0.1
    assert ours.stop(15) is True
    assert RequestLog.objects.count() == 1


def test_many_threads_lose_nothing(writer):
    def put_many():
        for _ in range(200):
            writer.put(entry())

    threads = [threading.Thread(target=put_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.stop(20) is True
    assert RequestLog.objects.count() == 800


def test_put_is_quick():
    """About 0.2 us here; the limit leaves room for a busy machine."""
    ours = recorder.Recorder(rows_max=200_000)
    row = entry()
    best = min(_microseconds(ours, row) for _ in range(5))
    assert best < 5, f"{best:.2f} us for each row"


def _microseconds(ours, row) -> float:
    started = time.perf_counter()
    for _ in range(10_000):
        ours.put(row)
    return (time.perf_counter() - started) * 100


def test_the_database_error_that_means_waiting_is_not_taken_for_a_bad_row():
    assert not issubclass(OperationalError, recorder._REFUSED)


def test_the_metrics_count_each_row_once_though_its_write_failed(transactional_db):
    def counted() -> float:
        return metrics.REQUESTS.labels("counted", "4xx")._value.get()

    rename = 'ALTER TABLE "{}" RENAME TO "{}"'.format
    ours = recorder.Recorder(linger_s=0.01)
    failures = metrics.LOG_FAILURES._value.get()
    tokens = metrics.TOKENS.labels("prompt")._value.get()
    with connection.cursor() as cursor:
        cursor.execute(rename("logs_requestlog", "away"))
    try:
        ours.start()
        ours.put(entry(surface="counted", status=402, input_tokens=2, cache_read_tokens=3))
        wait_until(lambda: metrics.LOG_FAILURES._value.get() > failures, what="a failure")
        ours.put(entry(surface="counted", status=400))
        wait_until(lambda: counted() == 2, what="both")
    finally:
        with connection.cursor() as cursor:
            cursor.execute(rename("away", "logs_requestlog"))
    assert ours.stop(10) is True
    assert counted() == 2
    assert metrics.TOKENS.labels("prompt")._value.get() == tokens + 5
