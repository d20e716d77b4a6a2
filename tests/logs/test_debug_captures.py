"""The writer of captures: encrypted or not at all, bounded, never behind the end of a session."""

import datetime as dt
import time

import pytest
from django.db import connection
from django.utils import timezone

from accounts import metrics
from accounts.timeids import uuid7
from logs import debug, debug_captures, debug_keys, debug_reader
from logs.debug_captures import Captured, Writer
from logs.models import DebugCapture, DebugSession
from tests import factories
from tests.servers import wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("debug_folder")]
WORD = b"numbat in a burrow"


@pytest.fixture
def session(key):
    return factories.debug_session(key)


def captured(session, *, request=WORD, response=WORD):
    return Captured(
        session_id=session.pk, request_id=uuid7(), created_at=timezone.now(), request=request,
        response=response, request_bytes=len(request), response_bytes=len(response),
    )  # fmt: skip


def dropped(cause):
    return metrics.DEBUG_DROPS.labels(cause)._value.get()


def store(what, *, after=dt.timedelta()):
    return debug_captures.store(what, now=timezone.now() + after)


@pytest.mark.clause("1.2-debug")
def test_what_is_stored_is_ciphertext(session, alice):
    what = captured(session)
    assert store(what)
    row = DebugCapture.objects.get()
    for sealed in (bytes(row.request), bytes(row.response)):
        assert WORD not in sealed
        assert len(sealed) == len(WORD) + 12 + 16  # nonce and tag
    assert bytes(row.request) != bytes(row.response)
    assert debug_reader.read(what.request_id, user=alice, now=timezone.now()).request == WORD
    session.refresh_from_db()
    assert (session.kept, session.kept_bytes, session.missed) == (1, 2 * len(WORD), 0)


def test_a_capture_tells_its_content_to_no_log(session):
    assert "numbat" not in repr(captured(session))


@pytest.mark.clause("1.2-law")
@pytest.mark.parametrize("how", ["stopped", "expired", "no key", "no session"])
def test_nothing_is_stored_without_a_running_session(session, how):
    what, after, before = captured(session), dt.timedelta(), dropped("ended")
    match how:
        case "stopped":
            debug.stop(session, now=timezone.now())
        case "expired":
            after = dt.timedelta(minutes=60)
        case "no key":
            debug_keys.destroy(session.pk)
        case "no session":
            DebugSession.objects.all().delete()
    assert not store(what, after=after)
    assert not DebugCapture.objects.exists()
    assert dropped("ended") == before + 1


def test_a_session_keeps_so_much_and_counts_the_rest(session, monkeypatch):
    monkeypatch.setattr(debug_captures, "SESSION_ROWS_MAX", 1)
    assert store(captured(session))
    assert not store(captured(session))
    session.refresh_from_db()
    assert (session.kept, session.missed) == (1, 1)
    monkeypatch.setattr(debug_captures, "SESSION_ROWS_MAX", 10)
    monkeypatch.setattr(debug_captures, "SESSION_BYTES_MAX", 3 * len(WORD))
    assert not store(captured(session))


def test_a_capture_is_stored_once(session):
    what = captured(session)
    assert store(what)
    assert not store(what)
    session.refresh_from_db()
    assert session.kept == 1


def test_a_full_queue_drops_and_counts(session):
    writer, before = Writer(bytes_max=3 * len(WORD)), dropped("full")
    writer.put(captured(session))
    writer.put(captured(session))
    assert dropped("full") == before + 1


@pytest.mark.django_db(transaction=True)
def test_the_thread_stores_what_is_put_and_at_the_end_what_waits(session):
    writer = Writer()
    writer.start()
    try:
        writer.put(captured(session))
        wait_until(lambda: DebugCapture.objects.count() == 1, what="a capture")
        writer.put(captured(session))
    finally:
        writer.stop()
    assert DebugCapture.objects.count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.clause("1.2-debug")
def test_the_thread_begins_with_a_sweep(key):
    session = factories.debug_session(key, at=timezone.now() - dt.timedelta(hours=2))
    writer = Writer()
    writer.start()
    wait_until(lambda: DebugSession.objects.get().end == "expired", what="the sweep")
    writer.stop()
    assert session.pk not in debug_keys.standing()


@pytest.mark.django_db(transaction=True)
def test_captures_wait_while_the_database_is_away(session):
    """A table that is gone for a while: what a database answers that is being restored."""
    table = DebugCapture._meta.db_table
    writer = Writer()
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO away")
    try:
        writer.start()
        writer.put(captured(session))
        time.sleep(0.3)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE away RENAME TO {table}")
    wait_until(lambda: DebugCapture.objects.count() == 1, what="the capture that waited")
    writer.stop()


def test_putting_never_touches_the_disk_or_the_database(session, django_assert_num_queries):
    writer = Writer()
    with django_assert_num_queries(0):
        writer.put(captured(session))
    assert not DebugCapture.objects.exists()
