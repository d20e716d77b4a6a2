"""Django's PostgreSQL backend; the test database is copied."""

from django.db.backends.postgresql import base, creation

from tests import slate


class DatabaseCreation(slate.Copied, creation.DatabaseCreation):
    pass


class DatabaseWrapper(base.DatabaseWrapper):
    creation_class = DatabaseCreation
