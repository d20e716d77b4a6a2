"""What the harness does not measure: latency at a thinking vendor, memory of streams, drift."""

import json
import os
import statistics
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
TRANSLATED, CHUNKS = 256, 100
ASK = MESSAGES[1]["content"]
CLIENTS = {
    "native": ("/v1/chat/completions", {"messages": MESSAGES, "max_tokens": CHUNKS}),
    "openrouter": ("/api/v1/chat/completions", {"messages": MESSAGES, "max_tokens": CHUNKS}),
    "responses": ("/v1/responses", {"input": ASK, "max_output_tokens": CHUNKS}),
    "messages": ("/v1/messages", {"messages": [MESSAGES[1]], "max_tokens": CHUNKS}),
    "gemini": (
        "/v1beta/models/gpt-4o-mini:streamGenerateContent?alt=sse",
        {"contents": [{"parts": [{"text": ASK}]}], "generationConfig": {"maxOutputTokens": CHUNKS}},
    ),
}
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

    def load(
        self, *options: str, port: int | None = None, body: dict | None = None, **extra: object
    ) -> dict:
        """Run the load generator once and return its report."""
        command = ["taskset", "-c", "1", HOME / "load", "-p", str(port or self.port)]
        command += ["-H", f"Authorization: Bearer {self.key}"]
        command += ["-b", json.dumps({**(body or BODY), **extra}), *options]
        result = subprocess.run(
            [str(part) for part in command], capture_output=True, check=True, text=True
        )
        return json.loads(result.stdout)

    def cpu_us(self) -> int:
        """Return the CPU time that the gateway's processes have taken, in microseconds."""
        return deployment.cpu_us(self.gateway.pid)

    def memory_kib(self) -> int:
        """Return what the gateway's processes hold."""
        return deployment.memory_kib(self.gateway.pid)

    def close(self) -> None:
        """Stop both."""
        self.gateway.terminate()
        self.gateway.wait(60)
        self._upstream.terminate()


def measure(database_url: str, scratch: Path, *, is_quick: bool) -> None:
    """Print the measurements."""
    bench = Bench(database_url, scratch)
    try:
        bench.load("-c", "32", "-d", "3", "-w", "0")
        latency(bench)
        translated(bench, 2 if is_quick else 6)
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


def translated(bench: Bench, rounds: int) -> None:
    """CPU for each chunk of streams from one vendor, in the protocol of each client."""
    found: dict[str, list[float]] = {name: [] for name in CLIENTS}
    for _ in range(rounds):  # interleaved, so that the machine's moods meet all alike
        for name, (path, body) in CLIENTS.items():
            before = bench.cpu_us()
            told = bench.load(
                "-s", "-u", path, "-c", str(TRANSLATED), "-n", str(TRANSLATED), "-w", "0",
                "-d", "60", body={**body, "model": "gpt-4o-mini", "stream": True},
            )  # fmt: skip
            if told["errors"]:
                raise SystemExit(f"{name}: {told['errors']} streams failed")
            found[name].append((bench.cpu_us() - before) / (TRANSLATED * CHUNKS))
    print(f"\n{TRANSLATED} streams of {CHUNKS} chunks from a vendor of chat completions, "
          "CPU us for each chunk (requests included; PostgreSQL's not)")  # fmt: skip
    for name, costs in found.items():
        print(f"  {name:12} {statistics.median(costs):5.1f}")


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
