"""The life of one gateway worker: what starts before the first request and ends after the last."""

import asyncio
import gc
import logging
import threading
from typing import Any

from django.conf import settings
from django.urls import get_resolver

from accounts import keys
from accounts.changes import Listener
from bananarouter import observability, server
from bananarouter.pages.catalogue import offers
from billing import bank
from logs import debug_captures, recorder
from routing import catalogue, lifting, pulse, tokenizer, upstream

logger = logging.getLogger(__name__)


# A worker makes hardly any cycles but holds a million objects that live as long as it does:
# the collector's usual walks over them were a quarter of the CPU of a request.
GC_THRESHOLDS = (50_000, 20, 50)


def _settle_in() -> None:
    """Load what takes long, then keep the garbage collector off what will stay."""
    tokenizer.load()
    offers.prepare()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


class Life:
    """Starts and stops everything that a worker holds, in order."""

    def __init__(self) -> None:
        self._listener = Listener()

    async def start(self) -> None:
        """Be ready to serve: money first, so that nothing is admitted without it."""
        observability.guard_process()
        observability.guard_loop(asyncio.get_running_loop())
        for part in (keys, catalogue, offers, bank, lifting):
            part.connect(self._listener)
        await bank.start()
        await asyncio.to_thread(catalogue.refresh)
        recorder.start()
        debug_captures.start()
        self._listener.start()
        threading.Thread(target=_settle_in, name="settle-in", daemon=True).start()
        pulse.start()
        server.at_drain_end(pulse.end_all)
        # Loaded now: a broken page must keep a worker from starting, not from answering.
        for urls in (settings.ROOT_URLCONF, "routing.urls"):
            get_resolver(urls).url_patterns  # noqa: B018 - a lazy property

    async def stop(self) -> None:
        """Give everything back; running requests have ended."""
        pulse.stop()
        await asyncio.to_thread(self._listener.stop)
        await asyncio.to_thread(keys.close)
        await bank.stop()
        await upstream.close()
        await asyncio.to_thread(recorder.stop)
        await asyncio.to_thread(debug_captures.stop)


async def lifespan(receive: Any, send: Any) -> None:
    """Follow the server's lifespan protocol."""
    life = Life()
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                await life.start()
            except Exception:
                logger.exception("worker did not start")
                await send({"type": "lifespan.startup.failed", "message": "see the log"})
                return
            await send({"type": "lifespan.startup.complete"})
        else:
            try:
                await life.stop()
            except Exception:
                logger.exception("worker did not stop cleanly")
            await send({"type": "lifespan.shutdown.complete"})
            return
