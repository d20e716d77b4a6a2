"""What an erasure has deleted is in no file of the database any more."""

import datetime as dt
from pathlib import Path

import psycopg
import pytest
from django.db import connection, transaction

from accounts.models import Account, Closure, User
from bananarouter import dead_rows, tasks
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.clause("5-delete")]
NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
TRACE = "zebedee.quagga@example.org"


def closed():
    return Closure.objects.create(state="closed", asked_at=NOW, due_at=NOW, ended_at=NOW)


def leave():
    """Somebody is deleted whose row came last: no other is moved to its place."""
    for name in ("alice", "bob"):
        factories.user(name)
    User.objects.create_user(username="quagga", email=TRACE, display_name=TRACE).delete()
    return closed()


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Tests beside this one write on the same server; return what sets the patience."""

    def set_to(seconds):
        monkeypatch.setattr(dead_rows, "PATIENCE_S", seconds)

    set_to(60)
    return set_to


def another(database=None):
    """Open a connection beside Django's."""
    told = connection.settings_dict
    return psycopg.connect(
        host=told["HOST"], port=told["PORT"], user=told["USER"], password=told["PASSWORD"],
        dbname=database or told["NAME"],
    )  # fmt: skip


def file_of(model):
    """Return the bytes of a table and of its indexes."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
        cursor.execute("SHOW data_directory")
        (folder,) = cursor.fetchone()
        cursor.execute(
            "SELECT pg_relation_filepath(oid) FROM pg_class WHERE oid = %s::regclass "
            "UNION SELECT pg_relation_filepath(indexrelid) FROM pg_index "
            "WHERE indrelid = %s::regclass",
            [table, table],
        )
        return b"".join((Path(folder) / path).read_bytes() for (path,) in cursor.fetchall())


@pytest.mark.postgresql
def test_an_erased_row_stays_in_the_file_until_the_task_has_run():
    closure = leave()
    assert TRACE.encode() in file_of(User)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM accounts_user")
    assert TRACE.encode() in file_of(User), "VACUUM alone does not overwrite it"
    assert tasks.clear_erased() == 1
    assert TRACE.encode() not in file_of(User)
    closure.refresh_from_db()
    assert closure.cleared_at is not None
    assert User.objects.count() == 2
    assert tasks.clear_erased() == 0, "nothing is left to do"


@pytest.mark.postgresql
def test_it_waits_for_whoever_still_sees_the_row(patience):
    patience(0.3)
    with another() as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1 FROM accounts_user LIMIT 1")
        closure = leave()
        assert dead_rows.clear(now=NOW) == 0
        assert TRACE.encode() in file_of(User)
    patience(60)
    assert dead_rows.clear(now=NOW) == 1
    closure.refresh_from_db()
    assert closure.cleared_at == NOW
    assert TRACE.encode() not in file_of(User)


@pytest.mark.postgresql
def test_it_waits_for_whoever_writes_in_another_database(patience):
    patience(0.3)
    with another("postgres") as other:
        other.execute("SELECT pg_current_xact_id()")
        leave()
        assert dead_rows.clear(now=NOW) == 0
    patience(60)
    assert dead_rows.clear(now=NOW) == 1
    assert TRACE.encode() not in file_of(User)


@pytest.mark.postgresql
def test_a_table_in_use_holds_nobody_up_and_is_cleared_later():
    leave()
    before = timeout()
    with another() as other:
        # Without a snapshot of its own: only its lock is in the way.
        other.execute("LOCK TABLE accounts_account IN ACCESS SHARE MODE")
        assert dead_rows.clear(now=NOW) == 0
        assert TRACE.encode() not in file_of(User), "the others are cleared"
        assert timeout() == before
    assert dead_rows.clear(now=NOW) == 1


@pytest.mark.postgresql
def test_a_large_table_is_vacuumed_without_its_lock(monkeypatch):
    monkeypatch.setattr(dead_rows, "REWRITTEN_BYTES_MAX", 0)
    leave()
    before = path_of(Account)
    assert dead_rows.clear(now=NOW) == 1
    assert path_of(Account) == before
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_user_tables WHERE relname = 'accounts_user' "
            "AND last_vacuum IS NOT NULL"
        )
        assert cursor.fetchone() == (1,)


def timeout():
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return cursor.fetchone()


def path_of(model):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_filepath(%s)", [model._meta.db_table])
        return cursor.fetchone()[0]


def test_within_a_transaction_it_does_nothing():
    closed()
    with transaction.atomic():
        assert dead_rows.clear(now=NOW) == 0
    assert dead_rows.clear(now=NOW) == 1


@pytest.mark.postgresql
def test_every_partition_of_the_request_log_is_looked_at():
    names = [name for name, _ in dead_rows._parts()]
    assert any(name.startswith("logs_requestlog_") for name in names)
    assert "logs_requestlog" not in names
    assert "logs_heldrequest" not in names, "what a law keeps is not touched"
    assert len(names) == len(set(names))
