"""Measures forgetting and rebuilding: a day dropped beside writers, sums rebuilt, pages at depth.

`--drop 5000000`: PostgreSQL; a day of so many rows is destroyed while another process writes groups
as the recorder does; their times with and without. `--rebuild 1000000`: sums of a day from so many
rows, on each database. `--pages 10000000`: questions of the list of requests at so many rows.
"""

import argparse
import datetime as dt
import functools
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

ACCOUNTS, KEYS, MODELS = 50, 4, 24
GROUP = 200
SETTLE_S, ROUNDS = 5.0, 20
# A row of the log for n in a series: spread over a day, its accounts, keys and models.
COLUMNS = (
    "request_id, created_at, account_id, api_key_id, source_ip, surface, model, endpoint, vendor,"
    " channel, jurisdiction, is_stream, input_tokens, cache_read_tokens, cache_write_tokens,"
    " output_tokens, reasoning_tokens, is_estimated, cost_nusd, sent_ms, first_byte_ms, total_ms,"
    " status, finish_reason, error_code, tag, end_user"
)
COMMON = """
'192.0.2.7', 'chat', 'a/model-' || (n % {models}), 'c:a/model-' || (n % {models}),
'vendor-' || (n % 4), 'c', 'US', {false}, n % 900, 0, 0, n % 500, 0, {false}, n % 100000, 12,
200 + n % 700, 300 + (n * 7919) % 20000, CASE WHEN n % 33 = 0 THEN 429 ELSE 200 END, 'stop', NULL,
CASE WHEN n % 3 = 0 THEN 'feature-' || (n % 12) END, NULL
"""


def setup() -> Any:
    """Start Django on the database that the environment names; return its connection."""
    import django  # noqa: PLC0415 - the environment is set by then

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bananarouter.settings")
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
    return connection


def fill(connection: Any, day: dt.date, rows: int) -> None:
    """Make a day of rows inside the database, in steps."""
    from accounts.timeids import bound  # noqa: PLC0415
    from logs import partitions  # noqa: PLC0415

    partitions.ensure(today=day)
    first, step = bound(day).int >> 80, 500_000
    at = dt.datetime.combine(day, dt.time(12), tzinfo=dt.UTC).isoformat()
    is_pg = connection.vendor == "postgresql"
    millis = f"({first} + n * 86400000 / {rows})"
    if is_pg:
        made = (
            f"(lpad(to_hex({millis}::bigint), 12, '0') || '7000' || lpad(to_hex(n), 16, '8'))::uuid"
        )
        source = "generate_series({low}::bigint, {high}::bigint) n"
    else:
        made = f"printf('%012x7000%016x', {millis}, (1 << 62) | n)"
        source = (
            "(WITH RECURSIVE s(n) AS (SELECT {low} UNION ALL SELECT n + 1 FROM s WHERE n < {high})"
            " SELECT n FROM s)"
        )
    common = COMMON.format(models=MODELS, false="FALSE" if is_pg else "0")
    if is_pg:
        common = common.replace("'192.0.2.7'", "'192.0.2.7'::inet")
    stamp = f"TIMESTAMPTZ '{at}'" if is_pg else f"'{at[:19].replace('T', ' ')}'"
    for low in range(0, rows, step):
        here = source.format(low=low, high=min(rows, low + step) - 1)
        sql = (
            f"INSERT INTO logs_requestlog ({COLUMNS}) SELECT {made}, {stamp}, 1 + n % {ACCOUNTS},"  # noqa: S608
            f" 1 + n % {KEYS * ACCOUNTS}, {common} FROM {here}"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql)


class Writer:
    """Another connection that writes groups as the recorder does, and times each."""

    def __init__(self) -> None:
        self.times: list[tuple[float, float]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        from django.db import DatabaseError, connection  # noqa: PLC0415

        from accounts.timeids import uuid7  # noqa: PLC0415
        from logs import recorder  # noqa: PLC0415

        while not self._stopping.is_set():
            group = [
                recorder.Entry(
                    request_id=uuid7(), created_at=dt.datetime.now(dt.UTC), account_id=1 + n % 9,
                    api_key_id=n % 30, surface="chat", model=f"a/m{n % 9}", vendor="v",
                    total_ms=n * 10, status=200, source_ip="192.0.2.7",
                )
                for n in range(GROUP)
            ]  # fmt: skip
            began = time.perf_counter()
            while True:
                try:
                    recorder.write(group)
                    break
                except DatabaseError:  # the lock's timeout: as the recorder, again
                    connection.close()
            self.times.append((began, time.perf_counter() - began))
            time.sleep(0.005)
        connection.close()

    def told(self, since: float, until: float) -> str:
        """Say how long groups took that were under way in a span."""
        took = sorted(1000 * t for at, t in self.times if at + t >= since and at <= until)
        if not took:
            return "none"
        p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
        return (
            f"{len(took)} groups, median {statistics.median(took):.1f} ms, p99 {p99:.1f} ms,"
            f" longest {took[-1]:.1f} ms"
        )


def drop(rows: int) -> None:
    """Destroy a day beside a writer."""
    connection = setup()
    from accounts.timeids import DAY  # noqa: PLC0415
    from benchmarks import million  # noqa: PLC0415
    from logs import retention  # noqa: PLC0415

    today = dt.datetime.now(dt.UTC).date()
    day = today - 40 * DAY
    fill(connection, day, rows)
    million.analyze()
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
    os.sync()  # rows of a month ago are on the disk, not on their way
    print(f"{rows:,} rows made", flush=True)
    name = f"logs_requestlog_{day:%Y%m%d}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_size_pretty(pg_total_relation_size(%s))", [name])
        print(f"the day's size with indexes: {cursor.fetchone()[0]}", flush=True)
    with Writer() as writer:
        time.sleep(SETTLE_S)
        calm = time.perf_counter()
        prepared = _timed(lambda: retention._prepare(name, day))  # noqa: SLF001
        began = time.perf_counter()
        real, retention._prepare = retention._prepare, lambda *_: rows  # noqa: SLF001
        watcher = threading.Thread(target=_watch, args=(name, began))
        watcher.start()
        took = _timed(lambda: retention.forget_requests(today - 30 * DAY, held=frozenset()))
        retention._prepare = real  # noqa: SLF001
        ended = time.perf_counter()
        watcher.join()
        time.sleep(SETTLE_S)
    print(f"summed and counted before, without a lock: {prepared:.2f} s")
    print(f"dropped, its space given back: {took:.3f} s")
    print(f"writer before: {writer.told(calm - SETTLE_S, calm)}")
    print(f"writer while it is summed: {writer.told(calm, began)}")
    print(
        f"writer within a second of the drop: {writer.told(began - 0.5, ended + 0.5)}", flush=True
    )


def _watch(name: str, began: float) -> None:
    """Tell when the table is gone for everybody: its locks go then, its files are removed after."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT to_regclass(%s) IS NULL", [name])
            if cursor.fetchone()[0]:
                break
            time.sleep(0.002)
    print(f"gone for everybody: {time.perf_counter() - began:.3f} s")
    connection.close()


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def rebuild(rows: int) -> None:
    """Rebuild a day's sums from nothing, then again, beside a writer."""
    connection = setup()
    from benchmarks import million  # noqa: PLC0415
    from logs import rollups  # noqa: PLC0415

    today = dt.datetime.now(dt.UTC).date()
    fill(connection, today, rows)
    million.analyze()
    with Writer() as writer:
        time.sleep(2)
        for word in ("from nothing", "again"):
            began = time.perf_counter()
            found = rollups.rebuild(today, today=today)
            took = time.perf_counter() - began
            print(f"{connection.vendor}: {rows:,} rows, {word}: {took:.1f} s, {found.changed} sums")
            print(f"  writer meanwhile: {writer.told(began, began + took)}", flush=True)


def pages(rows: int) -> None:
    """Time questions of the list of requests with so many rows, spread over thirty days."""
    connection = setup()
    from accounts.timeids import DAY, bound  # noqa: PLC0415
    from benchmarks import million  # noqa: PLC0415
    from logs import search  # noqa: PLC0415

    today = dt.datetime.now(dt.UTC).date()
    for age in range(30):
        fill(connection, today - age * DAY, rows // 30)
    million.analyze()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), pg_size_pretty(pg_database_size(current_database()))"
                       " FROM logs_requestlog")  # fmt: skip
        print("rows and size:", *cursor.fetchone(), flush=True)
    middle = bound(today - 15 * DAY)
    asked = {
        "first page": search.Wanted(),
        "a page in the middle": search.Wanted(before=middle),
        "failures": search.Wanted(status=(400, 599)),
        "a model": search.Wanted(model="a/model-1"),
        "a model that is not there": search.Wanted(model="a/none"),
        "a tag": search.Wanted(tag="feature-3"),
        "a key": search.Wanted(key_ids=(2,)),
        "twenty keys": search.Wanted(key_ids=tuple(range(1, 21))),
    }
    for name, wanted in asked.items():
        ask = functools.partial(search.find, 1, wanted, rows_max=50)
        took = [1000 * _timed(ask) for _ in range(ROUNDS)]
        print(f"{name:28} median {statistics.median(took):7.1f} ms, longest {max(took):7.1f} ms",
              flush=True)  # fmt: skip


def main() -> None:
    """Read the options and measure, each database in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("drop", "rebuild", "pages"):
        parser.add_argument(f"--{name}", type=int, metavar="ROWS")
    parser.add_argument("--here", action="store_true", help="the database of the environment")
    options = parser.parse_args()
    jobs = {"drop": drop, "rebuild": rebuild, "pages": pages}
    for name, job in jobs.items():
        rows = getattr(options, name)
        if rows and options.here:
            job(rows)
        elif rows:
            backends = ["postgresql", "sqlite"] if name == "rebuild" else ["postgresql"]
            for backend in backends:
                _in_process(backend, [f"--{name}", str(rows), "--here"])


def _in_process(backend: str, arguments: list[str]) -> None:
    from tests.servers import PostgreSQL, fresh_database  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="bananarouter-retention-") as folder:
        made = {part: secrets.token_hex(32) for part in ("SECRET_KEY", "KEY_PEPPER",
                                                         "CREDENTIAL_KEY")}  # fmt: skip
        env = {**os.environ, **made, "DATA_DIR": folder, "LOG_LEVEL": "WARNING"}
        env.pop("DATABASE_URL", None)
        command = [sys.executable, __file__, *arguments]
        if backend == "sqlite":
            subprocess.run(command, env=env, check=True, cwd=ROOT)
            return
        server = PostgreSQL(fsync=True).start()
        try:
            with fresh_database(server.url) as url:
                env["DATABASE_URL"] = url
                subprocess.run(command, env=env, check=True, cwd=ROOT)
        finally:
            server.remove()


if __name__ == "__main__":
    main()
