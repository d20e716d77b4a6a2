import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bananarouter import supervisor
from tests.servers import wait_until

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
    import sys
    from pathlib import Path
    from bananarouter import supervisor

    folder = Path(sys.argv[1])
    keeper = supervisor.Supervisor()
    keeper.install()
    for name, timeout_s in (("server", 3.0), ("worker", float(sys.argv[2]))):
        code = (folder / f"{name}.py").read_text()
        keeper.start(
            supervisor.Child(
                name=name, command=[sys.executable, "-c", code, str(folder)], environment={},
                folder=folder, stop_timeout_s=timeout_s,
            )
        )
    keeper.run()
    keeper.stop()
"""
CHILD = """
    import os, signal, sys, time
    from pathlib import Path

    folder, name = Path(sys.argv[1]), {name!r}
    def end(*_):
        time.sleep({linger_s})
        with (folder / "ends").open("a") as file:
            file.write(name + "\\n")
        sys.exit(0)
    signal.signal(signal.SIGTERM, end)
    with (folder / f"{{name}}.pids").open("a") as file:
        file.write(f"{{os.getpid()}}\\n")
    while True:
        time.sleep(60)
"""


class Keeper:
    """A supervisor in a process of its own, with two children."""

    def __init__(self, folder: Path, *, linger_s: float = 0, stop_timeout_s: float = 5) -> None:
        self.folder = folder
        for name in ("server", "worker"):
            wait_s = linger_s if name == "worker" else 0
            code = textwrap.dedent(CHILD).format(name=name, linger_s=wait_s)
            (folder / f"{name}.py").write_text(code)
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PROGRAM), folder, str(stop_timeout_s)],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def pids(self, name: str) -> list[int]:
        file = self.folder / f"{name}.pids"
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []

    def wait_lives(self, name: str, count: int) -> int:
        """Wait until the child lived `count` times; return the latest process id."""
        wait_until(lambda: len(self.pids(name)) >= count, what=f"life {count} of {name}")
        return self.pids(name)[-1]

    def ends(self) -> list[str]:
        file = self.folder / "ends"
        return file.read_text().splitlines() if file.exists() else []


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def keeper(tmp_path):
    keeper = Keeper(tmp_path)
    yield keeper
    if keeper.process.poll() is None:
        keeper.process.kill()
    keeper.process.communicate()


def test_starts_a_killed_child_again(keeper):
    first = keeper.wait_lives("worker", 1)
    os.kill(first, signal.SIGKILL)
    second = keeper.wait_lives("worker", 2)
    assert second != first
    assert is_alive(second)
    assert len(keeper.pids("server")) == 1


def test_restarts_slow_down_when_a_child_dies_at_once(keeper):
    began = time.monotonic()
    for life in (1, 2, 3):
        os.kill(keeper.wait_lives("worker", life), signal.SIGKILL)
    keeper.wait_lives("worker", 4)
    # At once, then after 0.5 s, then after 1 s.
    assert time.monotonic() - began >= 1.5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_workers_first_and_leaves_nobody(keeper, number):
    pids = [keeper.wait_lives(name, 1) for name in ("server", "worker")]
    keeper.process.send_signal(number)
    assert keeper.process.wait(10) == 0
    assert keeper.ends() == ["worker", "server"]
    assert not any(is_alive(pid) for pid in pids)


def test_waits_for_a_child_that_drains(tmp_path):
    keeper = Keeper(tmp_path, linger_s=1.0)
    keeper.wait_lives("worker", 1)
    keeper.wait_lives("server", 1)
    keeper.process.terminate()
    assert keeper.process.wait(10) == 0
    assert keeper.ends() == ["worker", "server"]
    keeper.process.communicate()


def test_kills_a_child_that_drains_for_too_long(tmp_path):
    keeper = Keeper(tmp_path, linger_s=60, stop_timeout_s=0.5)
    worker = keeper.wait_lives("worker", 1)
    keeper.wait_lives("server", 1)
    began = time.monotonic()
    keeper.process.terminate()
    assert keeper.process.wait(10) == 0
    assert time.monotonic() - began < 5
    assert not is_alive(worker)
    assert keeper.ends() == ["server"]
    keeper.process.communicate()


def test_a_second_signal_is_quick(tmp_path):
    keeper = Keeper(tmp_path, linger_s=60, stop_timeout_s=300)
    worker = keeper.wait_lives("worker", 1)
    keeper.wait_lives("server", 1)
    keeper.process.terminate()
    time.sleep(0.3)
    assert keeper.process.poll() is None
    keeper.process.terminate()
    assert keeper.process.wait(supervisor.QUICK_STOP_S + 5) == 0
    assert not is_alive(worker)
    keeper.process.communicate()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is Linux's")
def test_children_end_when_the_supervisor_is_killed(keeper):
    pids = [keeper.wait_lives(name, 1) for name in ("server", "worker")]
    keeper.process.kill()
    wait_until(lambda: not any(is_alive(pid) for pid in pids), what="the children's end")


def test_says_which_child_never_got_ready(tmp_path):
    keeper = supervisor.Supervisor()
    child = supervisor.Child(
        name="worker 7", command=[sys.executable, "-c", "raise SystemExit(3)"],
        environment={}, folder=tmp_path,
    )  # fmt: skip
    child.start(now=0)
    with pytest.raises(supervisor.ChildFailed, match="worker 7 ended with code 3"):
        keeper.wait_ready(lambda: False, child=child, timeout_s=10)
