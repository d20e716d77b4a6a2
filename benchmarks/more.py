"""What the harness does not measure: latency at a thinking vendor, memory of streams, drift."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import deployment
from benchmarks.deployment import HOME, RAISED, ROOT

THINK_MS = 20
GAP_MS = 100
STREAMS = 2_000
REQUESTS = 200_000
MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "Tell me one surprising fact about bananas in one sentence."},
]
BODY = {"model": "gpt-4o-mini", "messages": MESSAGES, "temperature": 0.7}


class Bench:
    """One gateway on core 0, its vendor and the load on core 1."""

    def __init__(self, database_url: str, scratch: Path) -> None:
        self.upstream_port, self.port = deployment.free_port(), deployment.free_port()
        made = deployment.prepare("more", database_url, scratch, self.upstream_port)
        self.key = made["KEY"]
        self._upstream = self._start_upstream()
        command = [sys.executable, "manage.py", "run", "--no-demo", "--workers", "1"]
        self.gateway = subprocess.Popen(
            ["taskset", "-c", "0", *command, "--port", str(self.port)], cwd=ROOT,
            env={**os.environ, **RAISED, **made}, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        if not self.gateway.stdout or not self.gateway.stdout.readline().startswith("ready"):
            raise SystemExit("the gateway did not start")

    def _start_upstream(self) -> "subprocess.Popen[bytes]":
        command = [HOME / "upstream", str(self.upstream_port), str(GAP_MS), str(THINK_MS)]
        return subprocess.Popen(["taskset", "-c", "1", *command])

    def load(self, *options: str, port: int | None = None, **extra: object) -> dict:
        """Run the load generator once and return its report."""
        command = ["taskset", "-c", "1", HOME / "load", "-p", str(port or self.port)]
        command += ["-H", f"Authorization: Bearer {self.key}"]
        command += ["-b", json.dumps({**BODY, **extra}), *options]
        result = subprocess.run(
            [str(part) for part in command], capture_output=True, check=True, text=True
        )
        return json.loads(result.stdout)

    def memory_kib(self) -> int:
        """Return what the gateway's processes hold."""
        return deployment.memory_kib(self.gateway.pid)

    def close(self) -> None:
        """Stop both."""
        self.gateway.terminate()
        self.gateway.wait(60)
        self._upstream.terminate()


def measure(database_url: str, scratch: Path, *, is_quick: bool) -> None:
    """Print the three measurements."""
    bench = Bench(database_url, scratch)
    try:
        bench.load("-c", "32", "-d", "3", "-w", "0")
        latency(bench)
        streams(bench, 500 if is_quick else STREAMS)
        drift(bench, 10_000 if is_quick else REQUESTS)
    finally:
        bench.close()


def latency(bench: Bench) -> None:
    """Added latency at half load while the vendor takes 20 ms."""
    best = bench.load("-c", "128", "-d", "4", "-w", "0.5")["rps"]
    options = ("-c", "256", "-r", f"{best / 2:.0f}", "-d", "6", "-w", "1")
    through, direct = bench.load(*options), bench.load(*options, port=bench.upstream_port)
    added = {q: through["latency"][q] - direct["latency"][q] for q in ("p50", "p99")}
    print(
        f"\nvendor takes {THINK_MS} ms, {best / 2:.0f} requests/s (half of {best:.0f}): "
        f"added p50 {added['p50'] / 1000:.2f} ms, p99 {added['p99'] / 1000:.2f} ms, "
        f"errors {through['errors']}"
    )


def streams(bench: Bench, count: int) -> None:
    """Memory of open streams: while all are open, against just before."""
    before = peak = bench.memory_kib()
    options = ("-s", "-c", str(count), "-n", str(count), "-w", "0", "-d", "90")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(bench.load, *options, stream=True, max_tokens=100)
        while not running.done():
            peak = max(peak, bench.memory_kib())
            time.sleep(0.25)
        found = running.result()
    print(
        f"{found['ok']} of {count} open streams whole, errors {found['errors']}: "
        f"{(peak - before) / count:.1f} KiB for each"
    )


def drift(bench: Bench, requests: int) -> None:
    """Memory over many requests, in tenths: flat is what it should be."""
    part = max(requests // 10, 1)
    seen = []
    for _ in range(10):
        bench.load("-c", "64", "-n", str(part), "-d", "600", "-w", "0")
        seen.append(bench.memory_kib() / 1024)
    print(f"memory over {requests} requests, MiB: {' '.join(f'{m:.0f}' for m in seen)}")
