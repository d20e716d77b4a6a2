"""A gateway worker on the database of the environment, asked for pages as a browser asks."""

import contextlib
import http.client
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.deployment import ROOT, free_port

START_S = 120


class Browser:
    """One connection to the gateway, logged in by a cookie."""

    def __init__(self, port: int, cookie: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Host": "localhost", "Cookie": cookie, "Accept-Encoding": "gzip"}

    def ask(self, url: str) -> tuple[int, float]:
        """Return a page's status, and the milliseconds from the question to its last byte."""
        began = time.perf_counter()
        self._connection.request("GET", url, headers=self._headers)
        response = self._connection.getresponse()
        response.read()
        return response.status, 1000 * (time.perf_counter() - began)


@contextlib.contextmanager
def browser(cookie: str) -> Iterator[Browser]:
    """Start a gateway, lend a browser, stop the gateway."""
    port = free_port()
    command = [sys.executable, ROOT / "manage.py", "run", "--no-demo", "--no-tasks"]
    command += ["--port", str(port), "--workers", "1"]
    parts = [str(part) for part in command]
    with subprocess.Popen(parts, cwd=ROOT, stdout=subprocess.DEVNULL) as gateway:
        try:
            yield _ready(port, cookie)
        finally:
            gateway.terminate()


def _ready(port: int, cookie: str) -> Browser:
    for _ in range(START_S):
        with contextlib.suppress(OSError):
            found = Browser(port, cookie)
            if found.ask("/livez")[0] == 200:
                return found
        time.sleep(1)
    raise SystemExit("the gateway did not start")
