"""What is planned once says what it said before, and is planned once."""

import pytest
from django.db import connection

from accounts import planned

SQL = "SELECT id, username FROM accounts_user WHERE username = %s AND id > %s"


@pytest.mark.django_db
def test_rows_are_those_of_any_cursor(django_user_model):
    user = django_user_model.objects.create(username="alice")
    assert planned.rows(SQL, ["alice", 0]) == [(user.pk, "alice")]
    assert planned.rows(SQL, ["' OR 1=1 --", 0]) == []


@pytest.mark.postgresql
@pytest.mark.django_db
@pytest.mark.parametrize(("threshold", "kept"), [(1, 1), (None, 0)])
def test_a_connection_that_is_kept_keeps_the_plan(threshold, kept):
    connection.ensure_connection()
    usual = connection.connection.prepare_threshold
    connection.connection.prepare_threshold = threshold
    try:
        for name in ("alice", "bob", "mallory"):
            planned.rows(SQL, [name, 0])
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM pg_prepared_statements")
            assert cursor.fetchone() == (kept,)
    finally:
        connection.connection.prepare_threshold = usual
