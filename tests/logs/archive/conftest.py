"""Two archives: the engine of ClickHouse, and a BigQuery-shaped server."""

import itertools

import pytest

from logs.archive import base
from tests import servers
from tests.bigquery_emulator import BigQuery
from tests.logs.archive import archives

_count = itertools.count(1)


@pytest.fixture(scope="session")
def clickhouse_server():
    """A server for the session; each test has a database of its own."""
    pytest.importorskip("chdb", reason="the engine of ClickHouse is not installed")
    server = servers.ClickHouse().start()
    yield server
    server.remove()


@pytest.fixture
def clickhouse(clickhouse_server):
    config = base.Config(
        engine="clickhouse", host="127.0.0.1", port=clickhouse_server.port, is_tls=False,
        database=f"archive_{next(_count)}", timeout_s=10,
    )  # fmt: skip
    yield archives.ClickHouse(config, clickhouse_server)
    archives.run(config, f"DROP DATABASE IF EXISTS {config.database} SYNC")


@pytest.fixture
def bigquery():
    server = BigQuery().start()
    config = base.Config(
        engine="bigquery", host="test-project", database="logs", url=server.url, timeout_s=10
    )
    yield archives.BigQuery(config, server)
    server.stop()


@pytest.fixture(params=["clickhouse", "bigquery"])
def archive(request, settings, transactional_db):
    """Each of the two, switched on."""
    found = request.getfixturevalue(request.param)
    settings.ARCHIVE = found.config
    return found
