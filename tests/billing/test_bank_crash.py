"""kill -9 and SIGSTOP of workers that share a wallet on PostgreSQL, then the clients' record."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.servers import wait_until

ROOT = Path(__file__).resolve().parents[2]
TTL_S = 2
CREDIT = 10**12

pytestmark = pytest.mark.alone

PREPARE = """
import django; django.setup()
from accounts import owners
from billing import ledger
account = owners.own_account(owners.register(email="crash@example.com"))
ledger.credit(account_id=account.pk, amount_nusd={credit}, source="promotion", ref="1", actor="t")
print(account.pk)
"""

STALE = """
SELECT count(*) FROM billing_lease l LEFT JOIN billing_worker w ON w.boot = l.worker
WHERE l.state IN ('active', 'draining') AND (w.boot IS NULL OR w.expires_at < now())
"""


class Site:
    """A database and the workers on it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.environment = {
            "PATH": os.environ["PATH"], "DATABASE_URL": url, "DATA_DIR": str(folder),  # noqa: TID251
            "LEASE_TTL_S": str(TTL_S), "LEASE_ROTATION_S": "1", "LOG_LEVEL": "ERROR",
            "SECRET_KEY": "crash-test-secret-key-crash-test-secret-key-crash-test",
            "KEY_PEPPER": "crash-test-pepper-crash-test-pepper",
            "CREDENTIAL_KEY": "crash-test-key-crash-test-key-crash-test",
            "DJANGO_SETTINGS_MODULE": "bananarouter.settings",
        }  # fmt: skip
        self.record = folder / "record"
        self.workers = []
        self.python("manage.py", "migrate", "-v0")
        self.wallet = self.python("-c", PREPARE.format(credit=CREDIT)).strip()

    def python(self, *arguments) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self.environment, text=True,
            capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def spawn(self, *flags):
        command = ["-m", "tests.billing.crash_worker", self.record, self.wallet, *flags]
        with (self.folder / "log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, *map(str, command)], cwd=ROOT, env=self.environment,
                stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n", (self.folder / "log").read_text()
        worker.stdout.close()
        self.workers.append(worker)
        return worker

    def end(self) -> None:
        """SIGTERM to all; the last one, drained after the others, has swept what they left."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
                worker.wait(30)

    def query(self, sql: str):
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(sql).fetchall()

    def await_sweep(self) -> None:
        """Return when the dead are swept: after the TTL, and a look or two."""
        time.sleep(TTL_S + 0.1)
        wait_until(self.is_swept, timeout_s=30, what="the sweep")

    def is_swept(self) -> bool:
        return self.query(STALE)[0][0] == 0


@pytest.fixture
def site(tmp_path, postgresql_url):
    made = Site(tmp_path, postgresql_url)
    yield made
    for worker in made.workers:
        if worker.poll() is None:
            worker.kill()
            worker.wait(10)


def _assert_every_delivery_was_paid_once(site: Site) -> None:
    charges = {str(i): (s, c) for i, s, c in site.query(
        "SELECT request_id, state, cost_nusd FROM billing_charge")}  # fmt: skip
    delivered = [line.split() for line in site.record.read_text().splitlines()]
    assert len(delivered) > 500
    assert len({request_id for request_id, _ in delivered}) == len(delivered)
    for request_id, cost in delivered:
        assert charges[request_id] == ("settled", int(cost))
    ((debit, leased),) = site.query("SELECT debit_nusd, leased_nusd FROM billing_wallet")
    assert leased == 0
    assert debit == sum(cost for _, cost in charges.values())
    assert "clean" in site.python("manage.py", "audit_ledger")


@pytest.mark.proof(n=1_000)
def test_kills_lose_nothing_and_charge_nothing_twice(site, proof_count):
    site.spawn()
    for _ in range(proof_count(6, 1_000)):
        victim = site.spawn()
        time.sleep(0.2 + random.random() / 2)
        assert site.query("SELECT count(*) FROM billing_charge WHERE state = 'open'")[0][0] > 0
        victim.kill()
        victim.wait(10)
    site.await_sweep()
    site.end()
    assert site.query("SELECT count(*) FROM billing_charge WHERE reason = 'crash'")[0][0] > 0
    _assert_every_delivery_was_paid_once(site)


def _pause(site: Site, times: int, *flags: str) -> None:
    site.spawn()
    zombie = site.spawn(*flags)
    for _ in range(times):
        time.sleep(0.5)
        zombie.send_signal(signal.SIGSTOP)
        time.sleep(TTL_S)
        site.await_sweep()
        zombie.send_signal(signal.SIGCONT)
        time.sleep(1)
    site.end()


@pytest.mark.proof(n=200)
def test_a_worker_paused_beyond_its_lease_is_fenced(site, proof_count):
    _pause(site, proof_count(2, 200))
    assert site.query("SELECT count(*) FROM billing_lease WHERE state = 'reclaimed'")[0][0] > 0
    _assert_every_delivery_was_paid_once(site)
