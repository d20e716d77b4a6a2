"""What tests do with an archive, past the code that they test."""

import contextlib
import dataclasses
import re
from urllib.parse import unquote_plus

import clickhouse_connect

from logs.archive import base
from tests import faults, servers
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


# A request that lets go of one hour, to either archive.
DROP = re.compile(r"`requests` DROP PARTITION|^DELETE \S+/tables/requests\$")


class Line(faults.Proxy):
    """The line to an archive, which may break as it is asked to let go of one hour too many."""

    drops: int | None = None  # so many hours may still go

    def cut_after(self, drops: int) -> None:
        self.drops = drops

    def heal(self) -> None:
        assert self.drops is not None
        assert self.drops < 0, "nobody asked for more"
        self.drops = None
        super().heal()

    async def _pump(self, reader, writer) -> None:
        await super()._pump(_Watched(reader, self), writer)


class _Watched:
    def __init__(self, reader, line: Line) -> None:
        self._reader, self._line = reader, line

    async def read(self, size: int) -> bytes:
        data = await self._reader.read(size)
        line = self._line
        if line.drops is not None and DROP.search(unquote_plus(data.decode("latin-1"))):
            line.drops -= 1
            if line.drops < 0:
                line.set(refuses=True)
        if line.toxics.refuses:
            raise ConnectionResetError
        return data


@contextlib.contextmanager
def line(archive, settings):
    """Reach the archive by a line that may be cut; begin with that: a port is part of its name."""
    started = Line(archive.port).start()
    settings.ARCHIVE = archive.config_at(started.port)
    try:
        yield started
    finally:
        started.stop()


class ClickHouse:
    """The engine of ClickHouse."""

    def __init__(self, config: base.Config, server: servers.ClickHouse) -> None:
        self.config, self.server = config, server

    def rows(self, sql: str) -> list[tuple]:
        """Ask it; `{requests}` and so on are tables."""
        names = {table.name: f"{self.config.database}.{table.name}" for table in base.TABLES}
        return run(self.config, sql.format(**names))

    @property
    def port(self) -> int:
        return self.config.port

    def config_at(self, port: int) -> base.Config:
        return dataclasses.replace(self.config, port=port)

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

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    def config_at(self, port: int) -> base.Config:
        return dataclasses.replace(self.config, url=f"http://127.0.0.1:{port}")

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
