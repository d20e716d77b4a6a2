"""Measures how long a payment's notice waits for its answer, at a steady rate, and its credit.

A real gateway with PostgreSQL and its worker of tasks; Alipay's notices, each signed, one order
each. The clock runs from the moment that a notice was due: waiting for a free thread counts.
"""

import argparse
import concurrent.futures
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PER_S, SECONDS, SENDERS = 50, 20, 32
CREDIT_TIMEOUT_S = 300


def run(*, per_s: int, seconds: int) -> None:
    """Deliver and print a line of figures."""
    from tests.e2e.test_topup_kill import Shop  # noqa: PLC0415 - needs the path
    from tests.servers import PostgreSQL, fresh_database, wait_until  # noqa: PLC0415

    count = per_s * seconds
    server = PostgreSQL(fsync=True).start()
    try:
        with (
            fresh_database(server.url) as url,
            tempfile.TemporaryDirectory(prefix="bananarouter-webhooks-") as folder,
        ):
            shop = Shop(Path(folder), url, count=count)
            try:
                bodies = [shop.notice(*order) for order in shop.orders]
                _tell(_deliver(shop, bodies, per_s=per_s), per_s=per_s)
                began = time.monotonic()
                unpaid = "SELECT count(*) FROM billing_order WHERE state <> 'paid'"
                wait_until(
                    lambda: shop.ask(unpaid)[0][0] == 0,
                    timeout_s=CREDIT_TIMEOUT_S,
                    interval_s=0.1,
                    what="credit",
                )
                late_s = time.monotonic() - began
            finally:
                shop.gateway.stop(timeout_s=60)
    finally:
        server.remove()
    print(f"all credited {late_s:.1f} s after the last")


def _tell(took: list[float], *, per_s: int) -> None:
    cuts = statistics.quantiles(took, n=100)
    print(
        f"{len(took)} notices at {per_s}/s: p50 {cuts[49]:.1f} ms, p95 {cuts[94]:.1f} ms, "
        f"p99 {cuts[98]:.1f} ms, max {max(took):.1f} ms",
        flush=True,
    )


def _deliver(shop: Any, bodies: list[bytes], *, per_s: int) -> list[float]:
    """Post each body when it is due; return milliseconds from then until `success`."""
    local = threading.local()

    def post(body: bytes, due: float) -> float:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        answer = local.session.post(
            f"{shop.gateway.url}/hooks/alipay",
            data=body,
            headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
            timeout=30,
        )
        if answer.content != b"success":
            raise SystemExit(f"{answer.status_code}: {answer.content!r}")
        return 1000 * (time.monotonic() - due)

    with concurrent.futures.ThreadPoolExecutor(SENDERS) as pool:
        began, waiting = time.monotonic() + 0.5, []
        for number, body in enumerate(bodies):
            due = began + number / per_s
            time.sleep(max(0.0, due - time.monotonic()))
            waiting.append(pool.submit(post, body, due))
        return [each.result() for each in waiting]


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-s", type=int, default=PER_S)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    options = parser.parse_args()
    run(per_s=options.per_s, seconds=options.seconds)


if __name__ == "__main__":
    main()
