"""Keeps child processes alive, and takes them all along when it ends."""

import contextlib
import ctypes
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

logger = logging.getLogger(__name__)

# A child that lived this long may be started again at once.
STEADY_S = 10.0
BACKOFF_S_MIN = 0.5
BACKOFF_S_MAX = 30.0
# After a second signal, or for children that hold no request.
QUICK_STOP_S = 3.0
TICK_S = 1.0
PR_SET_PDEATHSIG = 1


@dataclass(slots=True, kw_only=True)
class Child:
    """One process to keep alive."""

    name: str
    command: Sequence[str]
    environment: dict[str, str] = field(repr=False)
    folder: Path
    # Sockets handed down; they stay open here, so connections wait out the child's restart.
    descriptors: tuple[int, ...] = ()
    stdin: bytes | None = field(default=None, repr=False)
    is_quiet: bool = False
    # The first life loads itself, then waits for the end of its standard input: `release`.
    is_held: bool = False
    # How long it may take to end by itself; gateway workers drain their requests.
    stop_timeout_s: float = QUICK_STOP_S
    # Told the process id of each life that ended before its time.
    on_death: Callable[[int], None] | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    due_at: float | None = None
    failures: int = 0

    @property
    def is_alive(self) -> bool:
        """True while the process runs."""
        return self.process is not None and self.process.poll() is None

    def start(self, *, now: float) -> None:
        """Start the process; its standard output goes to our standard error."""
        self.started_at, self.due_at = now, None
        self.process = subprocess.Popen(  # noqa: S603 - our own commands
            self.command,
            env=self.environment,
            cwd=self.folder,
            pass_fds=self.descriptors,
            stdin=subprocess.PIPE if self.stdin is not None or self.is_held else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if self.is_quiet else sys.stderr.fileno(),
            # A terminal's Ctrl-C must reach the supervisor alone: it decides the order.
            start_new_session=True,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - we have one thread
        )
        if not self.is_held:
            self.release()

    def release(self) -> None:
        """Hand over the standard input and end it."""
        self.is_held = False
        if self.process is None or self.process.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(self.stdin or b"")
            self.process.stdin.close()

    def signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.is_alive and self.process is not None:
            self.process.send_signal(number)


class ChildFailed(Exception):
    """A child ended before it was ready."""


class Supervisor:
    """Starts children in order, starts dead ones again, and stops them in stages."""

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._signals = 0
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)

    def install(self) -> None:
        """Take over SIGTERM and SIGINT; hear of children's deaths at once."""
        signal.set_wakeup_fd(self._wake_out, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    @property
    def is_stopping(self) -> bool:
        """True once a signal asked for the end."""
        return self._signals > 0

    def start(self, child: Child) -> None:
        """Start a child and keep it from now on."""
        self._children.append(child)
        child.start(now=time.monotonic())

    def wait_ready(self, check: Callable[[], bool], *, child: Child, timeout_s: float) -> None:
        """Wait until `check` holds or a signal came. Raises: ChildFailed."""
        deadline = time.monotonic() + timeout_s
        while not self.is_stopping and not check():
            if not child.is_alive:
                code = child.process.returncode if child.process else None
                raise ChildFailed(f"{child.name} ended with code {code} before it was ready")
            if time.monotonic() > deadline:
                raise ChildFailed(f"{child.name} was not ready after {timeout_s:.0f} s")
            self._sleep(0.02)

    def run(self) -> None:
        """Keep every child alive until a signal asks for the end."""
        while not self.is_stopping:
            now = time.monotonic()
            for child in self._children:
                self._revive(child, now=now)
            due = [child.due_at - now for child in self._children if child.due_at is not None]
            self._sleep(max(0.0, min([TICK_S, *due])))

    def stop(self) -> None:
        """Stop the children in stages, the latest started first: workers, then what they use."""
        for stage in self._stages():
            for child in stage:
                child.signal(signal.SIGTERM)
            self._wait_ended(stage, timeout_s=max(child.stop_timeout_s for child in stage))
            for child in stage:
                if child.is_alive:
                    logger.warning("child killed", extra={"child": child.name})
                    child.signal(signal.SIGKILL)
                if child.process is not None:
                    child.process.wait()

    def _stages(self) -> Iterator[list[Child]]:
        """Yield groups of children that share a stop timeout, the latest started first."""
        stage: list[Child] = []
        for child in reversed(self._children):
            if stage and child.stop_timeout_s != stage[0].stop_timeout_s:
                yield stage
                stage = []
            stage.append(child)
        if stage:
            yield stage

    def _wait_ended(self, children: list[Child], *, timeout_s: float) -> None:
        """Wait until all ended or the time is up; a second signal shortens the time."""
        began, hurried = time.monotonic(), False
        while any(child.is_alive for child in children):
            now = time.monotonic()
            if self._signals > 1 and not hurried:
                began, timeout_s, hurried = now, min(timeout_s, QUICK_STOP_S), True
                for child in children:
                    child.signal(signal.SIGINT)
            if now - began > timeout_s:
                return
            self._sleep(0.1)

    def _revive(self, child: Child, *, now: float) -> None:
        if child.is_alive:
            return
        if child.due_at is None:
            lived_s = now - child.started_at
            child.failures = 0 if lived_s >= STEADY_S else child.failures + 1
            wait_s = _backoff_s(child.failures)
            child.due_at = now + wait_s
            code = child.process.returncode if child.process else None
            told = {"child": child.name, "code": code, "restart_in_s": wait_s}
            logger.warning("child died", extra=told)
            if child.on_death is not None and child.process is not None:
                child.on_death(child.process.pid)
        if now >= child.due_at:
            child.start(now=now)
            logger.info("child restarted", extra={"child": child.name})

    def _on_signal(self, *_: object) -> None:
        self._signals += 1

    def _sleep(self, timeout_s: float) -> None:
        """Sleep until the time is up or any signal arrives."""
        if select.select([self._wake_in], [], [], timeout_s)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_in, 4096)


def _backoff_s(failures: int) -> float:
    """Return how long to wait before a start: none after a steady life or the first early death."""
    if failures <= 1:
        return 0.0
    return min(BACKOFF_S_MAX, BACKOFF_S_MIN * 2.0 ** (failures - 2))


def die_with_parent(number: int = signal.SIGTERM) -> Callable[[], None] | None:
    """Return what a child does first on Linux: ask for a signal when its parent dies.

    The kernel means the thread that forked, so only the main thread's children ask.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not sys.platform.startswith("linux") or not is_main:
        return None
    libc, parent = ctypes.CDLL(None, use_errno=True), os.getpid()

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return ask
