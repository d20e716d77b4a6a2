"""ClickHouse: a part is filled beside the table, counted, and exchanged in one step.

`ALTER TABLE ... REPLACE PARTITION ... FROM` is atomic and repeatable (ClickHouse documentation,
"Manipulating Partitions and Parts", 2026-11): whatever died in between, doing it again gives the
same rows once. Rows travel as JSONEachRow in the body, so no log of queries holds them.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver import exceptions

from logs.archive.base import (
    SPARE_DAYS,
    TABLES,
    Away,
    Column,
    Config,
    Kind,
    Packed,
    Part,
    Refused,
    Sink,
    Table,
    text,
)

CONNECT_TIMEOUT_S = 5
_POLL_S = 0.2
_TYPES = {
    Kind.HOUR: "DateTime('UTC')",
    Kind.MOMENT: "DateTime('UTC')",
    Kind.DAY: "Date",
    Kind.WORD: "LowCardinality(String)",
    Kind.TEXT: "String",
    Kind.NUMBER: "Int64",
    Kind.FLAG: "Bool",
}
# Errors about the rows themselves (ClickHouse, ErrorCodes.cpp, 2026-11); every other is about
# the server: the batch waits. Parse errors, types, columns, constraints.
_ABOUT_ROWS = {
    6, 10, 16, 26, 27, 33, 38, 41, 43, 53, 69, 70, 72, 117, 130, 131, 321, 349, 441, 469, 676, 691,
}  # fmt: skip


class ClickHouse(Sink):
    """A database of a ClickHouse server, by HTTP."""

    def __init__(self, config: Config) -> None:
        self._database, self._patience_s = config.database, config.patience_s
        with _said():
            self._client = clickhouse_connect.get_client(
                host=config.host,
                port=config.port,
                username=config.user or "default",
                password=config.credentials,
                secure=config.is_tls,
                connect_timeout=CONNECT_TIMEOUT_S,
                send_receive_timeout=config.timeout_s,
                query_limit=0,
                autogenerate_session_id=False,  # one query may run beside another
                compress=False,
            )

    def prepare(self, *, kept_days: int) -> None:
        self._run(f"CREATE DATABASE IF NOT EXISTS `{self._database}`")
        for table in TABLES:
            days = 0 if table.is_kept else kept_days + SPARE_DAYS
            self._run(_create(self._place(table.name), table, days))
            if days:
                self._limit(table, days)

    def _limit(self, table: Table, days: int) -> None:
        """Follow a setting that was changed since the table was made."""
        (made,) = self._rows(
            "SELECT create_table_query AS made FROM system.tables "
            f"WHERE database = '{self._database}' AND name = '{table.name}'"
        )
        if f"toIntervalDay({days})" not in made["made"]:
            self._run(f"ALTER TABLE {self._place(table.name)} MODIFY TTL {_ttl(days)}")

    def replace(self, *, table: Table, part: Part, packed: Packed, attempt: int) -> None:
        # What an earlier try may still be filling goes first: then it cannot be exchanged later.
        self._clear(table)
        beside = self._place(f"{table.name}_beside_{text(part)}_{attempt}")
        target = self._place(table.name)
        self._run(f"CREATE TABLE {beside} AS {target}")
        with _said():
            self._client.raw_insert(
                beside,
                [column.name for column in table.columns],
                insert_block=packed.body,
                fmt="JSONEachRow",
                compression="gzip",
                settings={
                    "input_format_allow_errors_num": packed.rejected_max,
                    # On by default since 26: rows would wait in a queue that outlives us.
                    "async_insert": 0,
                },
            )
        self._run(f"ALTER TABLE {target} REPLACE PARTITION '{text(part)}' FROM {beside}")
        self._run(f"DROP TABLE {beside} SYNC")

    def _clear(self, table: Table) -> None:
        for found in self._rows(
            f"SELECT name FROM system.tables WHERE database = '{self._database}' "
            f"AND startsWith(name, '{table.name}_beside_')"
        ):
            self._run(f"DROP TABLE IF EXISTS {self._place(found['name'])} SYNC")

    def drop(self, *, table: Table, part: Part) -> None:
        self._run(f"ALTER TABLE {self._place(table.name)} DROP PARTITION '{text(part)}'")

    def ask(self, sql: str) -> list[dict[str, Any]]:
        return self._rows(sql.format(**{table.name: self._place(table.name) for table in TABLES}))

    def erase(self, *, table: Table, column: str, values: Sequence[str]) -> None:
        """Rewrite the parts: a lightweight DELETE would only mark the rows."""
        self._clear(table)
        quoted = ", ".join(f"'{value}'" for value in values)
        self._run(f"ALTER TABLE {self._place(table.name)} DELETE WHERE {column} IN ({quoted})")
        open_ones = (
            "SELECT count() AS mutations FROM system.mutations "
            f"WHERE database = '{self._database}' AND table = '{table.name}' AND NOT is_done"
        )
        deadline = time.monotonic() + self._patience_s
        while self._rows(open_ones)[0]["mutations"]:
            if time.monotonic() > deadline:
                raise Away("mutation_runs")
            time.sleep(_POLL_S)

    def _place(self, name: str) -> str:
        return f"`{self._database}`.`{name}`"

    def _run(self, sql: str) -> None:
        with _said():
            self._client.command(sql)

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        with _said():
            return list(self._client.query(sql).named_results())


@contextmanager
def _said() -> Iterator[None]:
    """Turn the client's errors into ours; their texts may quote rows and go no further."""
    try:
        yield
    except exceptions.Error as error:
        code = error.code
        if code in _ABOUT_ROWS:
            raise Refused(f"clickhouse_{code}") from None
        raise Away(f"clickhouse_{code}" if code else "no_answer") from None
    except OSError:
        raise Away("no_answer") from None


def _create(place: str, table: Table, days: int) -> str:
    columns = ", ".join(f"`{column.name}` {_type(column)}" for column in table.columns)
    limit = f" TTL {_ttl(days)}" if days else ""
    return (
        f"CREATE TABLE IF NOT EXISTS {place} ({columns}) ENGINE = MergeTree "
        f"PARTITION BY {table.part} ORDER BY ({', '.join(table.order)}){limit} "
        "SETTINGS ttl_only_drop_parts = 1"
    )


def _ttl(days: int) -> str:
    return f"day + toIntervalDay({days}) DELETE"


def _type(column: Column) -> str:
    name = _TYPES[column.kind]
    if not column.is_nullable:
        return name
    if column.kind is Kind.WORD:
        return "LowCardinality(Nullable(String))"
    return f"Nullable({name})"
