"""Statements over many partitions, which PostgreSQL plans once for each connection.

To plan one over a month of partitions takes longer than to find its rows. Where connections are
kept from page to page the plan is, too; elsewhere these are statements like all others.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection


def rows(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Ask, and return every row. `values` are bound by the server: none may stand for a name."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Django's own writes values into the text, which is a new one each time.
            cursor.cursor = psycopg.Cursor(connection.connection)
        cursor.execute(sql, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
