"""The place of the crash proofs: a durable PostgreSQL, a gateway of several workers, a vendor."""

import contextlib
import itertools
import json
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg

from tests import servers, tables
from tests.e2e.crash_vendor import MODEL, NUMBER_MAX, PRICES, PROMPT_BASE, GatedVendor
from tests.e2e.serving import OPEN
from tests.gateways import Gateway
from tests.servers import wait_until

TTL_S = 3
ROTATION_S = 2
QUICK = {
    "LEASE_TTL_S": str(TTL_S),
    "LEASE_ROTATION_S": str(ROTATION_S),
    "DRAIN_TIMEOUT_S": "20",
}
# Runs in `manage.py shell`: one process for many keys.
CREATE = """
from django.core.management import call_command
for each in {options!r}:
    call_command("create_key", *each)
"""


class Site:
    """Everything that runs, and what its database says."""

    def __init__(self, folder: Path, *, workers: int, **environment: str) -> None:
        self.vendor = GatedVendor().start()
        self.postgresql = servers.PostgreSQL(fsync=True, cluster=tables.cluster()).start()
        self.gateway = Gateway(
            folder,
            "--no-demo",
            "--workers",
            str(workers),
            DATABASE_URL=self.postgresql.url,
            MARKUP_PPM="0",
            **{**OPEN, **QUICK, **environment},
        )
        self.workers = workers
        self.key = ""  # of a wallet that all workers lease from
        self.own_keys: list[str] = []  # of a wallet for each worker
        self._numbers = itertools.count(1)
        self._monitor: psycopg.Connection | None = None

    def start(self, *, credit_usd: str = "100000", on_disconnect: str = "stop") -> "Site":
        self.gateway.start()
        self.import_model(on_disconnect=on_disconnect)
        names = ["crash", *(f"crash{n}" for n in range(self.workers))]
        self.key, *self.own_keys = self.new_keys(names, credit_usd)
        return self

    def import_model(self, *, on_disconnect: str) -> None:
        model = {
            "name": MODEL,
            "upstream_name": MODEL,
            "prices": PRICES,
            "context_tokens_max": 100_000,
            "output_tokens_max": 1_000,
        }
        channel = {
            "name": "crash",
            "vendor": "openai",
            "protocol": "openai-chat",
            "base_url": f"{self.vendor.url}/v1",
            "api_key": "sk-crash",
            "on_disconnect": on_disconnect,
            "models": [model],
        }
        file = self.gateway.folder / "channels.json"
        file.write_text(json.dumps({"channels": [channel]}))
        self.gateway.manage("import_channels", str(file))

    def new_keys(self, names: Iterable[str], credit_usd: str) -> list[str]:
        """Return a key of an account of its own for each name."""
        options = [["--email", f"{name}@example.com", "--credit-usd", credit_usd] for name in names]
        made = self.gateway.manage("shell", "-v0", "-c", CREATE.format(options=options))
        return made.stdout.split()

    def stop(self) -> None:
        """Stop everything that still runs."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.postgresql.remove)
            if self.gateway.process is not None:
                stack.callback(self.gateway.stop, timeout_s=60)
            self.vendor.stop()  # first: nobody then waits for an answer
            if self._monitor is not None:
                self._monitor.close()

    def new_round(self) -> float:
        """Number requests anew; return since when charges belong to the round."""
        self._numbers = itertools.count(1)
        return int(time.time() * 1000) / 1000  # as fine as request ids are

    def number(self) -> int:
        """Return the next request's number."""
        found = next(self._numbers)
        assert found <= NUMBER_MAX
        return found

    @property
    def port(self) -> int:
        return self.gateway.port

    # The database

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.postgresql.url, autocommit=True)

    def rows(self, sql: str, *values: object) -> list[tuple]:
        if self._monitor is not None:
            with contextlib.suppress(psycopg.OperationalError):
                return self._monitor.execute(sql, values).fetchall()
            self._monitor.close()  # the server was stopped since
        self._monitor = self.connect()
        return self._monitor.execute(sql, values).fetchall()

    def charges(self) -> dict[uuid.UUID, "Charge"]:
        """Return every charge by request id."""
        rows = self.rows(
            "SELECT request_id, lease_id, hold_nusd, checkpoint_nusd, cost_nusd, state, reason,"
            " usage FROM billing_charge"
        )
        return {row[0]: Charge(*row) for row in rows}

    def breaches(self) -> list[tuple]:
        return self.rows("SELECT rule, subject, expected, found FROM billing_breach")

    def boots(self, request_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
        """Return the lives that served these requests."""
        return {
            row[0]
            for row in self.rows(
                "SELECT DISTINCT l.worker FROM billing_charge c JOIN billing_lease l"
                " ON l.id = c.lease_id WHERE c.request_id = ANY(%s)",
                list(request_ids),
            )
        }

    def open_charges(self, *, since_s: float = 0.0) -> int:
        """Return how many charges are open, `since_s` seconds old or older (UUIDv7 tells)."""
        limit = int((time.time() - since_s) * 1000) << 80
        rows = self.rows("SELECT request_id FROM billing_charge WHERE state = 'open'")
        return sum(row[0].int < limit for row in rows)

    def live_leases(self, boots: Iterable[uuid.UUID]) -> int:
        """Return how many leases of these lives are not closed."""
        return self.rows(
            "SELECT count(*) FROM billing_lease WHERE state IN ('active', 'draining')"
            " AND worker = ANY(%s)",
            list(boots),
        )[0][0]

    def blocked(self, word: str) -> set[int]:
        """Return the client ports of statements with `word` that wait for a lock."""
        rows = self.rows(
            "SELECT client_port FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND query ILIKE %s",
            f"%{word}%",
        )
        return {row[0] for row in rows}

    @contextlib.contextmanager
    def holding(self, sql: str, *values: object) -> Iterator[psycopg.Connection]:
        """Hold the locks that a statement takes."""
        with self.connect() as connection, connection.transaction():
            connection.execute(sql, values)
            yield connection

    # The workers

    def pids(self) -> list[int]:
        return sorted(self.gateway.workers())

    def await_workers(self) -> list[int]:
        wait_until(lambda: len(self.pids()) == self.workers, timeout_s=60, what="the workers")
        return self.pids()

    def await_recovery(self, boots: Iterable[uuid.UUID], *, timeout_s: float) -> None:
        """Wait until nothing of these dead is left: no live lease, so no open charge."""
        wait_until(lambda: not self.live_leases(boots), timeout_s=timeout_s, what="the sweepers")


class Charge:
    """A row of billing_charge."""

    def __init__(self, request_id, lease_id, hold, checkpoint, cost, state, reason, usage) -> None:  # noqa: PLR0917
        self.request_id = request_id
        self.lease_id = lease_id
        self.hold_nusd = hold
        self.checkpoint_nusd = checkpoint
        self.cost_nusd = cost
        self.state = state
        self.reason = reason
        self.usage = json.loads(usage) if usage else {}

    def __repr__(self) -> str:
        return f"Charge({self.state}, {self.reason}, {self.cost_nusd}, {self.usage})"

    @property
    def number(self) -> int | None:
        """The request's number, where the vendor's own usage came to be known."""
        found = self.usage.get("prompt_tokens")
        return found - PROMPT_BASE if isinstance(found, int) else None
