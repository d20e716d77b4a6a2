"""`python -m bananarouter.background`: one process that runs tasks, and says when they are due.

The beat is a thread of the worker: one machine needs no third process for a list of clocks.
Several of these may run; every task bears being run twice.
"""

import contextlib
import logging
import os
import threading
import warnings
from pathlib import Path

from celery.beat import EmbeddedService, Scheduler
from celery.platforms import SecurityWarning  # type: ignore[attr-defined]

from bananarouter import env

# A task can wait; a person or a processor that waits for an answer comes first.
NICENESS = 10


def main() -> None:
    """Work until SIGTERM."""
    _give_way()
    env.use_settings()
    from bananarouter import celery, observability  # noqa: PLC0415 - needs the settings' name

    observability.guard_process()
    # It warns root whatever it does; we send JSON only, and containers are often root's.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    app = celery.app
    app.set_default()
    app.finalize()
    beat = EmbeddedService(app, thread=True, scheduler_cls=Scheduler)  # in memory
    if isinstance(beat, threading.Thread):  # as `thread` asked for
        beat.daemon = True
        beat.start()
    logging.getLogger("celery").setLevel(logging.WARNING)
    worker = app.Worker(
        pool="solo",
        concurrency=1,
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()


def _give_way() -> None:
    """Take the processor where nobody else wants it.

    Linux may weigh whole sessions before processes (sched(7), "The autogroup feature", 2024-05):
    one that is ours alone is told as well.
    """
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(NICENESS))
    os.nice(NICENESS)


if __name__ == "__main__":
    main()
