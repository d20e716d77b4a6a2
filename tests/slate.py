"""The test database: a copy of one with every table, and clean again after a test that commits.

To migrate takes twelve seconds; Django's own `flush` takes one, after each test: it empties a
hundred tables and makes every content type and permission anew. Here what a test wrote goes.
"""

import contextlib
import shutil
from pathlib import Path

from django.db import connections, transaction

from tests import servers, tables


class Copied:
    """For a backend's DatabaseCreation: copies tables instead of migrating, where it can."""

    def create_test_db(self, verbosity=1, autoclobber=False, serialize=True, keepdb=False):
        is_ours = self.connection.vendor == "sqlite" or servers.is_shared_postgresql_ours()
        if keepdb or serialize or not is_ours:
            return super().create_test_db(verbosity, autoclobber, serialize, keepdb)
        name = self._create_test_db(verbosity, autoclobber) or self._get_test_db_name()
        self.connection.close()
        self.connection.settings_dict["NAME"] = name
        if self.connection.vendor == "sqlite":
            shutil.copyfile(tables.sqlite(), Path(name))
        self.connection.ensure_connection()
        return name


class Slate:
    """What a database held before the first test: what migrations wrote, and nothing else."""

    def __init__(self, alias: str = "default") -> None:
        self._connection = connections[alias]
        names = self._connection.introspection.django_table_names(
            only_existing=True, include_views=False
        )
        quoted = [self._connection.ops.quote_name(name) for name in sorted(names)]
        # One statement tells where rows are.
        self._are_filled = " UNION ALL ".join(
            f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})"  # noqa: S608
            for name in quoted
        )
        with self._connection.cursor() as cursor:
            self._rows = {name: self._read(cursor, name) for name in self._filled(cursor)}

    def restore(self) -> None:
        """Undo whatever the tests committed; ids go on."""
        with transaction.atomic(using=self._connection.alias), self._connection.cursor() as cursor:
            changed = [
                name
                for name in {*self._filled(cursor), *self._rows}
                if name not in self._rows or self._read(cursor, name) != self._rows[name]
            ]
            if not changed:
                return
            with self._without_triggers(cursor):
                for name in changed:
                    cursor.execute(f"DELETE FROM {name}")  # noqa: S608
                for name in changed:
                    self._write(cursor, name)

    def _filled(self, cursor) -> list[str]:
        cursor.execute(self._are_filled)
        return [name for (name,) in cursor.fetchall()]

    @staticmethod
    def _read(cursor, name: str) -> list[tuple]:
        cursor.execute(f"SELECT * FROM {name} ORDER BY 1")  # noqa: S608
        return cursor.fetchall()

    def _write(self, cursor, name: str) -> None:
        if rows := self._rows.get(name):
            marks = ", ".join(["%s"] * len(rows[0]))
            cursor.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)  # noqa: S608

    @contextlib.contextmanager
    def _without_triggers(self, cursor):
        """The ledger's forbid to delete."""
        if self._connection.vendor == "postgresql":
            cursor.execute("SET LOCAL session_replication_role = replica")  # foreign keys as well
            yield
            return
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {self._connection.ops.quote_name(name)}")
        yield
        for _, sql in triggers:
            cursor.execute(sql)
