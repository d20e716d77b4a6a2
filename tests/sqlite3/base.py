"""Django's SQLite backend; the test database is copied, and need not outlive a power cut."""

from django.db.backends.sqlite3 import base, creation

from tests import slate


class DatabaseCreation(slate.Copied, creation.DatabaseCreation):
    pass


class DatabaseWrapper(base.DatabaseWrapper):
    creation_class = DatabaseCreation

    def get_new_connection(self, conn_params):
        """Wait for no disk: each test commits, and the database goes with the run."""
        opened = super().get_new_connection(conn_params)
        opened.execute("PRAGMA synchronous=OFF")
        return opened
