"""Pinned programs and a gateway with the demo vendor for them."""

import contextlib
import sqlite3
from dataclasses import dataclass

import pytest

from tests.gateways import Gateway
from tests.programs import npm
from tests.servers import wait_until


@pytest.fixture(scope="session")
def sdks():
    """The folder in which npm put the Node SDKs."""
    return npm.require(npm.SDKS)


@pytest.fixture(scope="session")
def agents():
    """The folder in which npm put the coding agents."""
    return npm.require(npm.AGENTS)


@dataclass(frozen=True)
class RequestLog:
    """The rows that a gateway logged since this began."""

    gateway: Gateway
    before: int

    @classmethod
    def begin(cls, gateway):
        return cls(gateway, cls(gateway, 0).count())

    def ask(self, query, *values):
        path = self.gateway.folder / "data" / "bananarouter.sqlite3"
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as connection:
            return connection.execute(query, values).fetchall()

    def count(self):
        return self.ask("SELECT count(*) FROM logs_requestlog")[0][0]

    def rows(self, number):
        """Wait for `number` new rows: (surface, channel, is_stream, status, cost_nusd)."""
        # Rows are written in groups, a moment after the answer.
        wait_until(lambda: self.count() >= self.before + number, what="the rows of the requests")
        return self.ask(
            "SELECT surface, channel, is_stream, status, cost_nusd FROM logs_requestlog "
            "ORDER BY created_at LIMIT -1 OFFSET ?", self.before,
        )  # fmt: skip


@pytest.fixture
def logged(running):
    """The request log of the running gateway, from here on."""
    return RequestLog.begin(running)
