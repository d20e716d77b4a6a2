"""A feeder that is killed at any point loses nothing and doubles nothing."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection

from logs.archive import feed
from tests.logs.archive.test_feed import HOUR, NOON, SETTLED, archive_sums, log_sums, write

ROOT = Path(__file__).resolve().parents[3]
KILLS, KILLS_IN_PROOF = 20, 200


class Feeder:
    """The process of tests.logs.archive.feeder."""

    def __init__(self, config, folder) -> None:
        environment = {
            "PATH": os.environ["PATH"],  # noqa: TID251
            "DJANGO_SETTINGS_MODULE": "bananarouter.settings",
            "DATA_DIR": str(folder),
            "DATABASE_URL": _database_url(),
            "ARCHIVE_URL": f"clickhouse://127.0.0.1:{config.port}/{config.database}",
        }
        if config.engine == "bigquery":
            environment["ARCHIVE_URL"] = f"bigquery://{config.host}/{config.database}"
            environment["ARCHIVE_BIGQUERY_URL"] = config.url
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.logs.archive.feeder"], cwd=ROOT, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def feed(self, now, *, kill_after_s=None) -> tuple[int, float]:
        """Feed as of then; return the exit code (-9: killed) and how long it took."""
        self._process.stdin.write(f"{now.isoformat()}\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        began = time.monotonic()
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            with contextlib.suppress(ProcessLookupError):  # it was quicker
                os.kill(child, signal.SIGKILL)
        code = int(self._process.stdout.readline())
        return code, time.monotonic() - began

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(20)
        self._process.stdin.close()
        self._process.stdout.close()


def _database_url() -> str:
    told = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{told['NAME']}"
    return f"postgresql://{told['USER']}@{told['HOST']}:{told['PORT']}/{told['NAME']}"


@pytest.mark.alone
@pytest.mark.proof(KILLS_IN_PROOF)
@pytest.mark.clause("4.1-olap")
def test_kills_at_random_points_lose_and_double_nothing(archive, tmp_path, proof_count):
    feeder = Feeder(archive.config, tmp_path)
    chance = random.Random(35)
    kills = 0
    try:
        write(hour=NOON, rows=30)
        code, usual_s = feeder.feed(NOON + HOUR + SETTLED)
        assert code == 0
        for n in range(1, proof_count(KILLS, KILLS_IN_PROOF) + 1):
            hour = NOON + n * HOUR
            write(hour=hour, rows=30)
            write(hour=hour - HOUR / 9, rows=2)  # late ones of the hour before
            code, _ = feeder.feed(
                hour + HOUR + SETTLED, kill_after_s=chance.uniform(0, 1.5 * usual_s)
            )
            kills += code == -signal.SIGKILL
            held = archive.rows("SELECT hour, COUNT(*) FROM {requests} GROUP BY hour")
            assert {rows for _, rows in held} <= {30, 32}, "half of an hour"
    finally:
        feeder.stop()
    assert kills > n / 2
    for age in (4, 8, 26, 50):  # later than each comparison
        feed.run(now=NOON + (n + age) * HOUR + SETTLED)
    assert archive_sums(archive) == log_sums()
    assert archive_sums(archive)[0] == 30 + 32 * n
