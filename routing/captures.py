"""What debug mode takes of a request: the body as it was read, the answer as it is sent.

The only place of the gateway that keeps content beyond a request, and only for a key whose maker
switched debug mode on; every other key costs one look at an attribute.
"""

import time
from collections.abc import Mapping
from typing import Any

from accounts.callers import DebugWindow
from logs import debug_captures
from logs.debug_captures import PART_BYTES_MAX, Captured
from routing.exchange import Exchange
from routing.streaming import Pump, Reply, Send, Stream

HEADER = "x-debug-capture"


class Capture:
    """One request of a key in debug mode, collected up to a bound."""

    __slots__ = ("_answer", "_answer_bytes", "_exchange", "_request", "_room", "_window")

    def __init__(self, exchange: Exchange, window: DebugWindow, raw: bytes) -> None:
        self._exchange, self._window = exchange, window
        self._request = raw
        self._answer: list[bytes] = []
        self._answer_bytes = 0
        self._room = PART_BYTES_MAX

    def reply(self, body: bytes) -> None:
        """Take a whole answer, and hand everything on."""
        self._add(body)
        self._finish()

    def tee(self, pump: Pump) -> Pump:
        """Return a stream's pump that is listened to."""

        async def both(send: Send, head: Mapping[str, Any]) -> None:
            async def heard(message: Mapping[str, Any]) -> None:
                await send(message)
                self._add(message.get("body", b""))

            try:
                await pump(heard, head)
            finally:
                self._finish()

        return both

    def _add(self, body: bytes) -> None:
        self._answer_bytes += len(body)
        if self._room > 0 and body:
            kept = body[: self._room]
            self._answer.append(bytes(kept))
            self._room -= len(kept)

    def _finish(self) -> None:
        exchange = self._exchange
        debug_captures.put(
            Captured(
                session_id=self._window.session_id,
                request_id=exchange.request_id,
                created_at=exchange.created_at,
                request=self._request[:PART_BYTES_MAX],
                response=b"".join(self._answer),
                request_bytes=len(self._request),
                response_bytes=self._answer_bytes,
            )
        )


def take(exchange: Exchange, window: DebugWindow, raw: bytes) -> None:
    """Keep a request's body until its answer is there, unless the window has closed."""
    if time.time() < window.until:
        exchange.capture = Capture(exchange, window, raw)


def answer(exchange: Exchange, window: DebugWindow, reply: Reply | Stream) -> None:
    """Tell the caller that debug mode is on, and listen to the answer of what was taken."""
    capture = exchange.capture
    if capture is None and time.time() >= window.until:
        return
    reply.headers[HEADER] = "on"
    if capture is None:
        return
    if isinstance(reply, Stream):
        reply.pump = capture.tee(reply.pump)
    else:
        capture.reply(reply.body)
