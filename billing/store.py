"""The SQL of the database in use."""

import importlib
from types import ModuleType

from django.db import connection


def dialect() -> ModuleType:
    """Return store_postgresql or store_sqlite: the same names, each in its database's words.

    Imported when asked for, so that each database's client is loaded only where it is used.
    """
    return importlib.import_module(f"billing.store_{connection.vendor}")
