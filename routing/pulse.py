"""One timer for everything that open answers need about once a second."""

import asyncio
import logging
import time
from typing import Protocol

from accounts import metrics
from routing import limits

logger = logging.getLogger(__name__)

TICK_S = 1.0


class Beating(Protocol):
    """An open answer: it is asked each second."""

    def tick(self, now: float) -> None:
        """Do what is due: checkpoint, keep-alive, deadlines. Must not block."""
        ...

    def restart(self) -> None:
        """End now, with an error in the stream: the server goes down."""
        ...


_open: set[Beating] = set()
_task: asyncio.Task[None] | None = None


def join(beating: Beating) -> None:
    """Be asked from now on."""
    _open.add(beating)


def leave(beating: Beating) -> None:
    """Be asked no more. Idempotent."""
    _open.discard(beating)


def count() -> int:
    """Return how many answers are open."""
    return len(_open)


def end_all() -> None:
    """Tell every open answer that the server goes down."""
    for beating in list(_open):
        beating.restart()


def start() -> None:
    """Start the timer on the running loop."""
    global _task  # noqa: PLW0603
    if _task is None or _task.done():
        _task = asyncio.get_running_loop().create_task(_run())


def stop() -> None:
    """Stop the timer."""
    global _task  # noqa: PLW0603
    if _task is not None:
        _task.cancel()
        _task = None


async def _run() -> None:
    while True:
        before = time.monotonic()
        await asyncio.sleep(TICK_S)
        now = time.monotonic()
        metrics.BLOCKED.set(limits.blocked(now))
        metrics.LOOP_LAG.set(max(0.0, now - before - TICK_S))
        metrics.IN_FLIGHT.set(limits.running())
        for beating in list(_open):
            try:
                beating.tick(now)
            except Exception:
                logger.exception("tick failed")
