"""Real gateways for tests: `manage.py run` as a process, its workers, its commands."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from bananarouter import secret_files, supervisor
from tests import tables
from tests.servers import wait_until

ROOT = Path(__file__).resolve().parents[1]
READY_TIMEOUT_S = 180
# What a gateway under test may know of the environment of the tests.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "COVERAGE_PROCESS_START")


class Gateway:
    """One `manage.py run` on a folder of its own; everything in it may be killed."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        has_tasks: bool = False,
        is_new: bool = False,
        **environment: str,
    ) -> None:
        self.folder = folder
        self.is_new = is_new  # makes its own tables and secrets, as at a first start
        # Most tests need no background tasks and no payments: two processes less.
        self.arguments = arguments if has_tasks else (*arguments, "--no-tasks")
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}  # noqa: TID251
        self.environment = {**kept, "LOG_LEVEL": "INFO", **environment}
        self.lines: list[str] = []  # standard output
        self.log = folder / "run.log"  # standard error
        self.process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self, *, waits: bool = True) -> "Gateway":
        """Start it; with `waits` return when it said that it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lines.clear()
        if not self.is_new:
            _prepare(self.folder / "data", environment=self.environment)
        command = ["manage.py", "run", "--data-dir", self.folder / "data", *self.arguments]
        if "--port" not in self.arguments:
            command += ["--port", "0"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=self.environment, text=True,
                stdout=subprocess.PIPE, stderr=log,
                preexec_fn=supervisor.die_with_parent(),  # noqa: PLW1509 - no orphan after kill -9
            )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if waits:
            wait_until(self._is_ready, timeout_s=READY_TIMEOUT_S, what="a gateway")
        return self

    def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            self.lines.extend(line.rstrip("\n") for line in stream)

    def _is_ready(self) -> bool:
        assert self.process is not None
        code = self.process.poll()
        assert code is None, f"it ended with {code}:\n{self.log_text()}"
        return len(self.lines) >= 2

    @property
    def url(self) -> str:
        return self.lines[0].split()[1]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def key(self) -> str:
        return self.lines[0].split()[3]

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def log_text(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def children(self, marker: str = "") -> list[int]:
        """Return the process ids of the children whose command line holds `marker`."""
        task = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        found = [int(pid) for pid in task.read_text().split()]
        return [pid for pid in found if marker in command_line(pid)]

    def workers(self) -> list[int]:
        """Return the process ids of the gateway workers."""
        return self.children("bananarouter.serve")

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def stop(self, *, timeout_s: float = 30) -> int:
        """Stop it as an operator does; return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        if self._reader is not None:
            self._reader.join(5)
        return code

    def kill(self) -> None:
        """kill -9 of the supervisor; Linux takes its children along (SIGTERM)."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def wait_for_model(self, key: str, name: str) -> None:
        """Return when every worker has heard of a model that was just imported."""
        headers = {"Authorization": f"Bearer {key}"}

        def is_known() -> bool:
            # Each connection reaches any of the workers: so many miss none.
            for _ in range(16):
                request = urllib.request.Request(f"{self.url}/v1/models", headers=headers)  # noqa: S310
                with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                    if name.encode() not in answer.read():
                        return False
            return True

        wait_until(is_known, timeout_s=60, interval_s=0.1, what=f"{name} in every worker")

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a management command on the same data, as an operator would."""
        result = subprocess.run(
            [sys.executable, "manage.py", *arguments, "--data-dir", str(self.folder / "data")],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert not check or result.returncode == 0, result.stderr
        return result


def _prepare(data: Path, *, environment: Mapping[str, str]) -> None:
    """Put secrets and, without another database, tables where there are none.

    A first start takes seconds; the tables of PostgreSQL are there (tests.tables).
    """
    if (data / "secrets").exists():
        return
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    given = {name for name in secret_files.NAMES if name.upper() in environment}
    secret_files.make(data / "secrets", given=given, has_database=False)
    if "DATABASE_URL" not in environment:
        shutil.copyfile(tables.sqlite(), data / "bananarouter.sqlite3")


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_alive(pid: int) -> bool:
    """True while a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
