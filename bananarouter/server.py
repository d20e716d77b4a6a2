"""The server of one gateway worker: uvicorn on uvloop, with a drain."""

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import uvicorn
from django.conf import settings
from uvicorn.server import HANDLED_SIGNALS

from bananarouter import health, http1

logger = logging.getLogger(__name__)

APPLICATION = "bananarouter.asgi:application"
BACKLOG = 2048
# Longer than clients and load balancers (60 s) keep a connection, so that they close it first.
KEEP_ALIVE_S = 75
# How long new connections are still taken after SIGTERM when a load balancer must first see it.
ACCEPT_GRACE_S = 5.0
# Requests that outlive the drain deadline are told, get so long to say good-bye, then end.
LAST_WORDS_S = 5.0
CANCEL_S = 10.0
TICK_S = 0.05
EXIT_FAILED = 3


_at_drain_end: list[Callable[[], None]] = []


def at_drain_end(callback: Callable[[], None]) -> None:
    """Have `callback` called on the event loop when the drain deadline is over.

    Requests that still run are canceled LAST_WORDS_S later.
    """
    _at_drain_end.append(callback)


class Server(uvicorn.Server):
    """uvicorn's server with a drain: refuse to be ready, stop accepting, finish, exit 0."""

    server_state: http1.State
    on_ready: Callable[[], None] | None = None

    def __init__(
        self, config: uvicorn.Config, *, accept_grace_s: float, drain_timeout_s: float
    ) -> None:
        super().__init__(config)
        self.server_state = http1.State()
        self._accept_grace_s = accept_grace_s
        self._drain_timeout_s = drain_timeout_s

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises the signals again at the end, which would hide the exit code.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Begin to drain; a second SIGINT ends at once."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
        self.server_state.is_draining = True
        health.drain()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, listen, and say so."""
        await super().startup(sockets)
        if self.started and self.on_ready is not None:
            self.on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what runs and end the application."""
        self.server_state.is_draining = True
        await self._wait(self._accept_grace_s, until_idle=False)
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if not await self._wait(self._drain_timeout_s, until_idle=True):
            await self._end_requests()
        if not self.force_exit:
            await self.lifespan.shutdown()

    async def _wait(self, timeout_s: float, *, until_idle: bool) -> bool:
        """Wait for the time, or for the end of all requests; False when the time was up."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while not self.force_exit:
            if until_idle and not (self.server_state.tasks or self.server_state.connections):
                return True
            if loop.time() >= end:
                return False
            await self.on_tick(0)  # keeps the Date header right
            await asyncio.sleep(TICK_S)
        return False

    async def _end_requests(self) -> None:
        logger.warning("drain deadline is over", extra={"running": len(self.server_state.tasks)})
        for callback in _at_drain_end:
            callback()
        if not self.force_exit and await self._wait(LAST_WORDS_S, until_idle=True):
            return
        running = list(self.server_state.tasks)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=CANCEL_S)
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def serve(
    sockets: Sequence[socket.socket],
    app: str = APPLICATION,
    *,
    on_ready: Callable[[], None] | None = None,
) -> int:
    """Serve on bound sockets until SIGTERM or SIGINT; return the exit code of the process.

    `on_ready` is called on the event loop once requests are taken.
    """
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=http1.Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # limits.client_ip counts trusted hops itself
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    # Only what stands in front of us needs time to see that we are not ready any more.
    is_behind_proxy = settings.HTTPS or settings.TRUSTED_PROXY_HOPS
    server = Server(
        config,
        accept_grace_s=ACCEPT_GRACE_S if is_behind_proxy else 0.0,
        drain_timeout_s=settings.DRAIN_TIMEOUT_S,
    )
    server.on_ready = on_ready
    try:
        server.run(sockets=list(sockets))
    except SystemExit:  # uvicorn's way to say that the application did not start
        return EXIT_FAILED
    return 0 if server.started else EXIT_FAILED
