"""Measures the server time of every page with a million requests in the account.

`--orders 100000`: of the pages about money alone, with so many orders instead.

Of a gateway worker over HTTP, from the question to the last byte, warm, on SQLite and on
PostgreSQL; processor time and queries are those of the same page in this process. The pages are
those of the URLconf that answer 200 to the account's owner; tests/site.py gives their arguments.
On a busy machine the best time and the processor's tell more than the median; runs on different
days compare by the fixed loop that is timed first and last.
"""

import argparse
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from benchmarks import served

REQUESTS = 1_000_000
ROUNDS, WARM, INSIDE = 30, 3, 5
LOOPS = 1_000_000
# Beside the plain pages: the questions that cost most.
MORE = [
    "/usage?range=today", "/usage?group=key", "/usage?group=member&range=7d",
    "/usage?group=tag", "/usage?group=end_user", "/usage.csv?group=key",
]  # fmt: skip


def measure(requests: int, orders: int) -> None:
    """Fill the database that the environment names, and print a line for each page."""
    import django  # noqa: PLC0415 - the environment is set by then

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bananarouter.settings")
    django.setup()
    from django.conf import settings  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    from benchmarks import million, served  # noqa: PLC0415
    from benchmarks import orders as many_orders  # noqa: PLC0415
    from tests import site  # noqa: PLC0415

    settings.ALLOWED_HOSTS = ["testserver"]
    call_command("migrate", verbosity=0)
    scene = site.build()
    began = time.monotonic()
    if orders:
        many_orders.fill(scene.account, scene.alice, orders=orders)
        million.analyze()
    else:
        million.fill(scene.account, scene.alice, requests=requests)
    made = f"{orders:,} orders" if orders else f"{requests:,} requests"
    print(f"{connection.vendor}: {made} made in {time.monotonic() - began:.0f} s")
    client = Client()
    client.force_login(scene.alice)
    urls = [scene.url(route) for route in site.ours()]
    heads = f"{'best':>8} {'median':>8} {'p95':>8} {'CPU':>8} {'queries':>8} {'KiB':>6}"
    print(f"{'page, milliseconds':44} {heads}")
    print(f"{'(the fixed loop)':44} {_loop_ms():8.1f}")
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    with served.browser(cookie) as browser:
        for url in [url for url in urls if "/billing" in url] if orders else [*urls, *MORE]:
            _measure_page(client, browser, url)
    print(f"{'(the fixed loop)':44} {_loop_ms():8.1f}")


def _loop_ms() -> float:
    """Return how long this machine takes for the same work now, milliseconds."""
    began = time.perf_counter()
    sum(number * number for number in range(LOOPS))
    return 1000 * (time.perf_counter() - began)


def _measure_page(client: Any, browser: "served.Browser", url: str) -> None:
    from django.db import connection  # noqa: PLC0415

    queries: list[str] = []

    def count(execute: Any, sql: str, *rest: Any) -> Any:
        queries.append(sql)
        return execute(sql, *rest)

    response = client.get(url)
    if response.status_code != 200:
        return
    with connection.execute_wrapper(count):
        body = b"".join(client.get(url))
    for _ in range(WARM):
        client.get(url).getvalue()
        browser.ask(url)
    used = []
    for _ in range(INSIDE):
        cpu = time.process_time()
        client.get(url).getvalue()
        used.append(1000 * (time.process_time() - cpu))
    took = [browser.ask(url)[1] for _ in range(ROUNDS)]
    p95 = statistics.quantiles(took, n=20)[-1]
    print(
        f"{url[:44]:44} {min(took):8.1f} {statistics.median(took):8.1f} {p95:8.1f}"
        f" {statistics.median(used):8.1f} {len(queries):8} {len(body) / 1024:6.1f}",
        flush=True,
    )


def run(backends: list[str], requests: int, *, orders: int = 0, script: str = __file__) -> None:
    """Measure on each database, in a process of its own, by the script's `--measure`."""
    from tests.servers import PostgreSQL, fresh_database  # noqa: PLC0415

    for backend in backends:
        with tempfile.TemporaryDirectory(prefix="bananarouter-pages-") as folder:
            made = {part: secrets.token_hex(32) for part in ("SECRET_KEY", "KEY_PEPPER",
                                                             "CREDENTIAL_KEY")}  # fmt: skip
            env = {**os.environ, **made, "DATA_DIR": folder, "LOG_LEVEL": "WARNING"}
            env.pop("DATABASE_URL", None)
            command = [sys.executable, script, "--measure", "--requests", str(requests),
                       "--orders", str(orders)]  # fmt: skip
            if backend == "sqlite":
                subprocess.run(command, env=env, check=True, cwd=ROOT)
                continue
            server = PostgreSQL(fsync=False).start()
            try:
                with fresh_database(server.url) as url:
                    env["DATABASE_URL"] = url
                    subprocess.run(command, env=env, check=True, cwd=ROOT)
            finally:
                server.remove()


def options_of(text: str | None, arguments: list[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--orders", type=int, default=0)
    parser.add_argument("--backends", nargs="*", default=["sqlite", "postgresql"])
    parser.add_argument("--measure", action="store_true", help="the database of the environment")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Read the options and measure."""
    options = options_of(__doc__, arguments)
    if options.measure:
        measure(options.requests, options.orders)
    else:
        run(options.backends, options.requests, orders=options.orders)


if __name__ == "__main__":
    main()
