"""Measures the export of a user with a million requests: time, size, and memory while it is built.

    python3 benchmarks/export.py [--requests N] [--backends sqlite postgresql]

The task's own code, on SQLite and on PostgreSQL. Memory is this process's resident set, sampled
twenty times a second, beside what it was before.
"""

import os
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import pages  # noqa: E402 - the folder is known by then

MIB = 1 << 20


class Memory(threading.Thread):
    """The largest resident set while it runs, in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.first = self.most = self.now()

    @staticmethod
    def now() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    def run(self) -> None:
        while not self.over.wait(0.05):
            self.most = max(self.most, self.now())


def measure(requests: int) -> None:
    """Fill the database that the environment names, and build an export of its owner's."""
    import django  # noqa: PLC0415 - the environment is set by then

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bananarouter.settings")
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from accounts import exports  # noqa: PLC0415
    from benchmarks import million  # noqa: PLC0415
    from tests import factories  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    alice = factories.user("alice")
    million.fill(factories.account_of(alice), alice, requests=requests)
    print(f"{connection.vendor}: {requests:,} requests made", flush=True)
    made = exports.ask(user=alice, session_key="benchmark", now=timezone.now())
    memory = Memory()
    memory.start()
    began, cpu = time.monotonic(), time.process_time()
    exports.build_next(now=timezone.now())
    took, used = time.monotonic() - began, time.process_time() - cpu
    memory.over.set()
    made.refresh_from_db()
    print(
        f"{connection.vendor}: {made.state}, {made.rows:,} rows, {made.bytes / MIB:.0f} MiB,"
        f" {took:.0f} s ({used:.0f} s of our CPU), resident {memory.first / MIB:.0f} MiB before"
        f" and at most {memory.most / MIB:.0f} MiB",
        flush=True,
    )


def main() -> None:
    """Read the options and measure."""
    options = pages.options_of(__doc__)
    if options.measure:
        measure(options.requests)
    else:
        pages.run(options.backends, options.requests, script=__file__)


if __name__ == "__main__":
    main()
