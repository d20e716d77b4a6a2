"""The log that a law asks for: time, address, account, endpoint, and where no law asks, nothing."""

from collections.abc import Sequence
from typing import Any, Protocol

from django.db import connection

from accounts.timeids import moment, uuid7_at
from logs import retention_rules
from logs.models import SecurityEntry
from logs.retention_rules import Record

FIELDS = ("id", "at", "source_ip", "account_id", "endpoint")


class Row(Protocol):
    """What a row of the request log tells this one."""

    @property
    def request_id(self) -> Any: ...
    @property
    def account_id(self) -> int | None: ...
    @property
    def surface(self) -> str: ...


def is_on() -> bool:
    """Tell whether the table of retention has days for it."""
    return retention_rules.rule(Record.SECURITY_LOG).days > 0


def add(rows: Sequence[tuple[Row, str | None]]) -> None:
    """Write rows with their addresses as these are stored, in the caller's transaction.

    Each gets an id of its own, so that no other table can be joined with it.
    """
    if not rows or not is_on():
        return
    told = [
        (uuid7_at(at := moment(row.request_id)), at, address, row.account_id, row.surface)
        for row, address in rows
    ]
    if connection.vendor != "postgresql":
        SecurityEntry.objects.bulk_create(
            SecurityEntry(**dict(zip(FIELDS, values, strict=True))) for values in told
        )
        return
    table = SecurityEntry._meta.db_table
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(f"COPY {table} ({', '.join(FIELDS)}) FROM STDIN") as copy,
    ):
        for values in told:
            copy.write_row(values)
