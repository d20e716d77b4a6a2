"""Starts the whole gateway on one machine: what `manage.py run` does."""

import fcntl
import functools
import os
import resource
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from accounts import policies
from bananarouter import env, listening, observability, secret_files, seed, supervisor, valkey
from bananarouter.pages.legal import documents
from bananarouter.payment_sandbox import keys

READY_TIMEOUT_S = 60.0
# Beyond the drain: closing leases, writing the last log rows.
STOP_MARGIN_S = 15.0
# Where the vendor file says the demo vendor is; another port if this one is taken.
DEMO_VENDOR_PORT = 8100
PAYMENT_SANDBOX_PORT = 8101

Tell = Callable[[str], None]


class CannotStart(Exception):
    """Something that its operator must see to first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    host: str
    port: int
    workers: int | None
    has_demo: bool
    has_tasks: bool
    shares_port: bool


def make_secrets() -> list[str]:
    """Make missing secrets; return their names: settings must then be loaded anew.

    Raises: secret_files.SecretsMissing; CannotStart.
    """
    given = {
        name
        for name in secret_files.NAMES
        if env.text(name.upper()) or env.text(f"{name.upper()}_FILE")
    }
    settings.DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    return secret_files.make(settings.SECRETS_DIR, given=given, has_database=_has_database())


def _has_database() -> bool:
    if settings.IS_SQLITE:
        file = Path(settings.DATABASES["default"]["NAME"])
        return file.is_file() and file.stat().st_size > 0
    try:
        return "django_migrations" in connection.introspection.table_names()
    except OperationalError as error:
        raise CannotStart("The database of DATABASE_URL cannot be reached.") from error
    finally:
        connection.close()


class Gateway:
    """Everything that runs: servers, workers, and the order in which they start and end."""

    def __init__(self, options: Options, *, tell: Tell) -> None:
        self._options = options
        self._tell = tell
        self._supervisor = supervisor.Supervisor()
        self._environment = {
            "DATA_DIR": str(settings.DATA_DIR),
            # Without `collectstatic` static files come from the source folders: no news.
            "PYTHONWARNINGS": "ignore:No directory at:UserWarning",
        }
        self._sockets: list[socket.socket] = []
        # Of children that are started again: they take them over.
        self._sockets_kept: list[socket.socket] = []
        self._lock: IO[str] | None = None

    def run(self, *, announce: Callable[[str, str], None]) -> None:
        """Serve until SIGTERM or SIGINT; `announce(url, key)` is called once, when ready.

        Raises: CannotStart, listening.PortBusy, valkey.NoValkey, supervisor.ChildFailed.
        """
        self._supervisor.install()
        self._claim()
        workers = 1 if settings.IS_SQLITE else self._options.workers or _cores()
        self._sockets = listening.open_all(
            self._options.host,
            self._options.port,
            count=workers,
            shares_port=self._options.shares_port,
        )
        try:
            self._start_valkey()
            port = self._start_demo_vendor() if self._options.has_demo else None
            if not env.text("PUBLIC_URL"):
                self._environment["PUBLIC_URL"] = self.url
            if self._has_sandbox:
                self._start_payment_sandbox()
            tasks = env.child(self._environment)
            started = self._start_workers()
            _migrate()
            _publish_policies()
            seeded = seed.seed(demo_port=port)
            connection.close()
            self._let_go(started)
            if self._options.has_tasks:
                self._start_tasks(tasks)
            if not self._supervisor.is_stopping:
                announce(self.url, seeded.key)
                self._greet(seeded)
            self._supervisor.run()
        finally:
            self._stop()

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the gateway."""
        host = self._options.host
        shown = "127.0.0.1" if host in {"", "0.0.0.0"} else host  # noqa: S104 - compared only
        shown = f"[{shown}]" if ":" in shown else shown
        return f"http://{shown}:{self._sockets[0].getsockname()[1]}"

    def _claim(self) -> None:
        """Raise limits; on SQLite make sure that nobody else runs on this folder."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        observability.guard_process()
        if not settings.IS_SQLITE:
            return
        if (self._options.workers or 1) > 1:
            raise CannotStart("SQLite serves one worker: set DATABASE_URL to use more.")
        self._lock = (settings.DATA_DIR / "run.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotStart(
                f"Another gateway runs on {settings.DATA_DIR}: stop it, or use another --data-dir."
            ) from error

    def _start_valkey(self) -> None:
        if settings.REDIS_URL:
            return
        server = valkey.Valkey(port=listening.free_port())
        self._environment["REDIS_URL"] = server.url
        child = supervisor.Child(
            name="valkey",
            command=server.command(),
            environment=env.child({}),
            stdin=server.configuration(),
            is_quiet=True,
            folder=settings.DATA_DIR,
        )
        self._supervisor.start(child)

    def _start_demo_vendor(self) -> int:
        """Start it on the port it had before, so that the channels need no change."""
        listener = listening.open_one(DEMO_VENDOR_PORT)
        command = [sys.executable, "-m", "bananarouter.demo_vendor", "--fd", str(listener.fileno())]
        child = supervisor.Child(
            name="demo vendor",
            command=command,
            environment=env.child({}),
            descriptors=(listener.fileno(),),
            folder=settings.BASE_DIR,
        )
        self._sockets_kept.append(listener)
        self._supervisor.start(child)
        return int(listener.getsockname()[1])

    @property
    def _has_sandbox(self) -> bool:
        """True: nobody set a real processor, so that a newcomer can try a top-up all the same."""
        is_real = any(
            getattr(settings.PAYMENTS, name).is_set for name in ("stripe", "alipay", "wechatpay")
        )
        return self._options.has_demo and self._options.has_tasks and not is_real

    def _start_payment_sandbox(self) -> None:
        listener = listening.open_one(PAYMENT_SANDBOX_PORT)
        file = settings.DATA_DIR / "payment_sandbox.json"
        port = int(listener.getsockname()[1])
        kept = keys.load(file)
        self._environment.update(kept.environment(f"http://127.0.0.1:{port}"))
        options = ["--fd", str(listener.fileno()), "--keys", str(file)]
        child = supervisor.Child(
            name="payment sandbox",
            command=[sys.executable, "-m", "bananarouter.payment_sandbox", *options],
            environment=env.child({}),
            descriptors=(listener.fileno(),),
            folder=settings.BASE_DIR,
        )
        self._sockets_kept.append(listener)
        self._supervisor.start(child)

    def _start_tasks(self, environment: dict[str, str]) -> None:
        """Start what works off tasks; until it is there, they wait in queue and database."""
        child = supervisor.Child(
            name="tasks",
            command=[sys.executable, "-m", "bananarouter.background"],
            environment=environment,
            folder=settings.BASE_DIR,
        )
        self._supervisor.start(child)

    def _start_workers(self) -> list[tuple[supervisor.Child, int]]:
        """Start loading a worker for each socket; return them with what tells their readiness."""
        folder = settings.DATA_DIR / "metrics"
        self._environment.update(observability.prepare_metrics(folder))
        started = []
        for number, listener in enumerate(self._sockets, start=1):
            readable, writable = os.pipe()
            os.set_blocking(readable, False)
            options = ["--fd", str(listener.fileno()), "--ready-fd", str(writable)]
            child = supervisor.Child(
                name=f"worker {number}",
                command=[sys.executable, "-m", "bananarouter.serve", *options],
                environment=env.child(self._environment),
                descriptors=(listener.fileno(), writable),
                folder=settings.BASE_DIR,
                is_held=True,
                stop_timeout_s=settings.DRAIN_TIMEOUT_S + STOP_MARGIN_S,
                on_death=lambda pid: observability.forget_worker(pid, folder),
            )
            self._supervisor.start(child)
            started.append((child, readable))
        return started

    def _let_go(self, started: list[tuple[supervisor.Child, int]]) -> None:
        """Let workers serve, now that the database is ready; wait until all of them do."""
        for child, _ in started:
            child.release()
        for child, readable in started:
            self._supervisor.wait_ready(
                functools.partial(_has_bytes, readable), child=child, timeout_s=READY_TIMEOUT_S
            )

    def _greet(self, seeded: seed.Seeded) -> None:
        self._tell(f"Dashboard: {self.url}/")
        self._tell(f"Staff:     {self.url}/staff/")
        if seeded.staff_password:
            self._tell(
                f"Log in as {seeded.staff_username} with {seeded.staff_password} "
                "(shown only now; change it with manage.py changepassword)."
            )
        if self._options.has_demo:
            self._tell(
                "The demo models (demo/...) are simulated on this machine; no language model runs. "
                "Set OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY for real ones."
            )
        if self._has_sandbox:
            self._tell("Payments run in a sandbox on this machine: no real money moves.")
        for name in seeded.vendors:
            self._tell(f"Channel {name} is open: a key of another account reaches it, demo cannot.")
        self._tell("Stop with Ctrl-C.")

    def _stop(self) -> None:
        # The workers hold these sockets too; they close them when they have drained the queue.
        for listener in self._sockets:
            listener.close()
        self._supervisor.stop()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _has_bytes(descriptor: int) -> bool:
    try:
        return bool(os.read(descriptor, 1))
    except BlockingIOError:
        return False


def _migrate() -> None:
    """Apply what is missing; looking first saves most of a second when nothing is."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)


def _publish_policies() -> None:
    try:
        documents.publish_at_start(now=timezone.now())
    except policies.VersionChanged as error:
        raise CannotStart(f"{error}: give the new text a new version.") from error
