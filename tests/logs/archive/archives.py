"""What tests do with an archive, past the code that they test."""

import clickhouse_connect

from logs.archive import base
from tests import servers
from tests.bigquery_emulator import BigQuery as Emulator

SUMS = ("input_tokens", "output_tokens", "cost_nusd", "total_ms")


def run(config: base.Config, sql: str) -> list[tuple]:
    """Ask a ClickHouse server."""
    client = clickhouse_connect.get_client(
        host=config.host, port=config.port, autogenerate_session_id=False
    )
    if sql.startswith(("SELECT", "SHOW")):
        return [tuple(row) for row in client.query(sql).result_rows]
    client.command(sql)
    return []


class ClickHouse:
    """The engine of ClickHouse."""

    def __init__(self, config: base.Config, server: servers.ClickHouse) -> None:
        self.config, self.server = config, server

    def rows(self, sql: str) -> list[tuple]:
        """Ask it; `{requests}` and so on are tables."""
        names = {table.name: f"{self.config.database}.{table.name}" for table in base.TABLES}
        return run(self.config, sql.format(**names))

    def go_away(self) -> None:
        self.server.kill()

    def come_back(self) -> None:
        self.server.start()

    def grow_picky(self) -> None:
        """Take no jurisdiction of more than two letters."""
        table = f"{self.config.database}.requests"
        run(self.config, f"ALTER TABLE {table} MODIFY COLUMN jurisdiction Nullable(FixedString(2))")

    def break_table(self) -> None:
        run(self.config, f"ALTER TABLE {self.config.database}.requests DROP COLUMN channel")

    def repair_table(self) -> None:
        column = "channel LowCardinality(Nullable(String))"
        run(self.config, f"ALTER TABLE {self.config.database}.requests ADD COLUMN {column}")


class BigQuery:
    """The BigQuery-shaped server."""

    def __init__(self, config: base.Config, server: Emulator) -> None:
        self.config, self.server = config, server

    def rows(self, sql: str) -> list[tuple]:
        """Ask it; `{requests}` and so on are tables."""
        return self.server.rows(sql.format(**{table.name: table.name for table in base.TABLES}))

    def go_away(self) -> None:
        self.server.is_away = True

    def come_back(self) -> None:
        self.server.is_away = False

    def _fields(self) -> list[dict]:
        return self.server.tables["requests"]["schema"]["fields"]

    def grow_picky(self) -> None:
        """Take no jurisdiction of more than two letters."""
        next(each for each in self._fields() if each["name"] == "jurisdiction")["maxLength"] = "2"

    def break_table(self) -> None:
        self._fields()[:] = [each for each in self._fields() if each["name"] != "channel"]

    def repair_table(self) -> None:
        self._fields()[:] = [
            {"name": column.name, "type": _TYPES.get(column.kind, "STRING"),
             "mode": "NULLABLE" if column.is_nullable else "REQUIRED"}
            for column in base.REQUESTS.columns
        ]  # fmt: skip


_TYPES = {base.Kind.NUMBER: "INT64", base.Kind.FLAG: "BOOL"}
