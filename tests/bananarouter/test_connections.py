"""Pages on PostgreSQL: connections are kept, given back whatever happens, and made anew."""

import asyncio
import contextlib
import http.client
import socket

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from bananarouter import connections
from tests.gateways import Gateway
from tests.servers import fresh_database, wait_until


def ask(gateway, path="/readyz"):
    """Return the status of a page that asks the database."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", gateway.port)) as asked:
        asked.request("GET", path)
        return asked.getresponse().status


def backends(url):
    """The server processes that work for the gateway."""
    with psycopg.connect(url, autocommit=True) as asked:
        rows = asked.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return {pid for (pid,) in rows}


def end(url, pids):
    with psycopg.connect(url, autocommit=True) as asked:
        asked.execute(
            "SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [list(pids)]
        )


@pytest.fixture(scope="module")
def database_url(postgresql):
    with fresh_database(postgresql.url) as url:
        yield url


@pytest.fixture(scope="module")
def gateway(database_url, tmp_path_factory):
    folder = tmp_path_factory.mktemp("connections")
    more = {"DATABASE_URL": database_url, "DATABASE_POOL_MAX": "2"}
    gateway = Gateway(folder, "--no-demo", "--workers", "1", **more).start()
    yield gateway
    gateway.stop()


@pytest.mark.process
class TestServed:
    def test_requests_share_connections(self, gateway, database_url):
        assert ask(gateway) == 200
        before = backends(database_url)
        assert [ask(gateway) for _ in range(30)] == [200] * 30
        assert len(backends(database_url) - before) <= 1

    def test_who_goes_away_keeps_none(self, gateway):
        for _ in range(12):
            with socket.create_connection(("127.0.0.1", gateway.port)) as gone:
                gone.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert [ask(gateway) for _ in range(3)] == [200] * 3

    def test_what_the_database_ended_is_made_anew(self, gateway, database_url):
        assert ask(gateway) == 200
        end(database_url, backends(database_url))
        assert ask(gateway, "/models") == 200

    def test_a_database_that_comes_back_serves_pages_again(self, gateway, database_url, postgresql):
        name = database_url.rpartition("/")[2]
        with psycopg.connect(postgresql.url, autocommit=True) as server:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            try:
                server.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    [name],
                )
                assert ask(gateway) == 503
            finally:
                server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        wait_until(lambda: ask(gateway) == 200, timeout_s=20, what="its return")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
class TestLend:
    @pytest.fixture(autouse=True)
    def one_connection(self, settings, monkeypatch):
        settings.DATABASE_POOL_MAX = 1
        monkeypatch.setattr(connections, "TIMEOUT_S", 0.5)
        connections._settings.cache_clear()
        yield
        connections._settings.cache_clear()
        pools = connection._connection_pools
        while pools:
            pools.popitem()[1].close()

    def _ask(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return cursor.fetchone()[0]

    def _close(self):
        connection.close()

    def test_an_error_gives_it_back(self):
        asked = []

        async def application(_scope, _receive, _send):
            asked.append(await sync_to_async(self._ask)())
            raise RuntimeError

        async def main():
            for _ in range(3):
                with pytest.raises(RuntimeError):
                    await connections.lend(application, None, None, None)

        asyncio.run(main())
        assert len(asked) == 3
        assert len(set(asked)) == 1

    def test_a_thread_of_its_own_is_lent_none(self):
        async def application(_scope, _receive, _send):
            lent = await sync_to_async(self._ask)()
            own = await asyncio.to_thread(self._asked_aside)
            assert own != lent
            await sync_to_async(self._close)()

        asyncio.run(connections.lend(application, None, None, None))

    def _asked_aside(self):
        try:
            return self._ask()
        finally:
            connection.close()
