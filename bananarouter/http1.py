"""uvicorn's HTTP/1.1 protocol under limits of size and time.

uvicorn as it comes takes 3,000 header fields, waits for slow senders for ever, adds trailers
to the headers of a running request, and writes its 400 into the middle of an answer that is
still being sent. What stands in front of it (nginx) may do all this too; it need not.
"""

import asyncio
import http
from typing import Any, Literal

import httptools
from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from routing import gateway

HEAD_BYTES_MAX = 32 << 10
HEAD_FIELDS_MAX = 100
URL_BYTES_MAX = 8 << 10
PIPELINED_MAX = 16
HEAD_TIMEOUT_S = 10.0
BODY_GAP_TIMEOUT_S = 30.0
BODY_TIMEOUT_S = 300.0
# The gateway refuses what is over its own limit politely; above this nobody is asked.
BODY_BYTES_SPARE = 1 << 20
# After an early answer a client may go on sending for so long: closing at once could cost it
# the answer (the kernel answers unread bytes with a reset).
LINGER_S = 5.0

Status = Literal[400, 408, 413, 414, 431]


class _Refused(Exception):
    """Raised inside the parser's callbacks to end the connection with a status."""


class State(ServerState):
    """What the connections of a worker share."""

    is_draining = False


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol under limits of size and time."""

    server_state: State

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.url = b""  # uvicorn sets it with the first byte of a request
        self._refusal: Status = 400
        self._is_refused = False
        self._head_open = False
        self._body_open = False
        self._is_lingering = False
        self._head_bytes = 0  # of complete fields and the URL
        self._hosts = 0
        self._open_bytes = 0  # received while the head was incomplete
        self._body_bytes = 0
        self._body_bytes_max = settings.BODY_BYTES_MAX + BODY_BYTES_SPARE
        self._began_at = 0.0
        self._progress_at = 0.0
        self._deadline: asyncio.TimerHandle | None = None

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm(HEAD_TIMEOUT_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._is_refused:
            return
        was_in_body = self._body_open
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(self._refusal)
            return
        except httptools.HttpParserUpgrade:
            # There is nothing to upgrade to: the request is served as it is, then all ends.
            self.cycle.keep_alive = False
        if self._head_open and not was_in_body:
            self._open_bytes += len(data)
            if self._open_bytes > HEAD_BYTES_MAX:
                self._refuse(431)
                return
        self._watch()

    def _watch(self) -> None:
        """See to it that a deadline runs while something of the client's is missing."""
        if self._body_open:
            self._progress_at = self.loop.time()
            if self._deadline is None:
                self._began_at = self._progress_at
                self._arm(BODY_GAP_TIMEOUT_S)
        elif self._head_open or not self._is_busy():
            if self._deadline is None:
                self._arm(HEAD_TIMEOUT_S)
        elif self._deadline is not None:
            self._disarm()

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    # The parser's callbacks

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= PIPELINED_MAX:
            raise _Refused
        super().on_message_begin()
        self._head_open = True
        self._head_bytes = self._open_bytes = self._body_bytes = self._hosts = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > URL_BYTES_MAX:
            self._raise(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > HEAD_BYTES_MAX or len(self.headers) >= HEAD_FIELDS_MAX:
            self._raise(431)
        if not self._head_open:
            return  # a trailer: it must not become a header after the fact
        # The rest is uvicorn's own, here because a second call for each field is felt.
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._disarm()
        if self._hosts > 1 or (not self._hosts and self.parser.get_http_version() == "1.1"):
            self._raise(400)  # RFC 9112, section 3.2
        self._head_open = False
        self._body_open = True
        super().on_headers_complete()
        if self.server_state.is_draining:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._body_bytes_max:
            self._raise(413)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._body_open = self._is_lingering = False
        self._disarm()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._body_open and not self._is_busy() and not self.transport.is_closing():
            self._is_lingering = True
            self._arm(LINGER_S)

    # Deadlines

    def _arm(self, delay_s: float) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(delay_s, self._on_deadline)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _on_deadline(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._is_lingering:
            self.transport.close()
        elif self._body_open:
            self._on_body_deadline()
        elif self._is_busy():
            self._arm(HEAD_TIMEOUT_S)  # the next request may dawdle while an answer runs
        elif self._head_open:
            self._refuse(408)
        else:
            self.transport.close()

    def _on_body_deadline(self) -> None:
        now = self.loop.time()
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            self._began_at += max(0.0, now - self._progress_at)
            self._progress_at = now  # it is we who do not read
        left_s = min(
            self._progress_at + BODY_GAP_TIMEOUT_S - now, self._began_at + BODY_TIMEOUT_S - now
        )
        if left_s <= 0:
            self._refuse(408)
        else:
            self._arm(left_s)

    # Refusals

    def _raise(self, status: Status) -> None:
        self._refusal = status
        raise _Refused

    def _refuse(self, status: Status) -> None:
        """End the connection; answer only where no answer has begun."""
        self._is_refused = True
        if not self._may_answer():
            self._disarm()
            self.transport.close()
            return
        if self._is_busy():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._answer(status)
        self.flow.resume_reading()
        self._is_lingering = True
        self._arm(LINGER_S)

    def _may_answer(self) -> bool:
        cycle = self.cycle
        if cycle is not None and cycle.scope is self.scope:
            return not (cycle.response_started or self.pipeline)
        return not self._is_busy()  # the head itself is bad: only earlier requests count

    def _answer(self, status: Status) -> None:
        reason = http.HTTPStatus(status).phrase
        reply = gateway.unread(self.url.decode("latin-1"), status)
        body = reply.body if reply else reason.encode()
        kind = b"application/json" if reply else b"text/plain; charset=utf-8"
        lines = [
            f"HTTP/1.1 {status} {reason}".encode(),
            *(name + b": " + value for name, value in self.server_state.default_headers),
            b"content-type: " + kind,
            b"content-length: %d" % len(body),
            b"connection: close",
        ]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
