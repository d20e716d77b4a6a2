"""HTTP/1.1 to vendors: kept connections, one exchange at a time on each, bounded buffers."""

import asyncio
import itertools
import ssl
from collections.abc import Mapping
from typing import cast

import httptools

from routing import sockets
from routing.http_head import Origin, joined, request_head, target_of

HEAD_BYTES_MAX = 64 << 10
HEAD_FIELDS_MAX = 200
# A read of the loop may add 256 KiB before it stops, and the reader holds as much again.
BUFFER_BYTES_MAX = 64 << 10
BUFFER_PARTS_MAX = 64
JOINED_BYTES_MAX = 64 << 10
IDLE_S = 30.0


class Unreached(Exception):
    """No connection could be had, or the call cannot be written: nothing was sent."""


class Broken(Exception):
    """The connection ended before the answer did, or the answer is not HTTP."""


class Connection(asyncio.Protocol):
    """One connection: idle in the pool, or in an exchange, or closed for ever."""

    __slots__ = (
        "_has_heard", "_is_broken", "_is_complete", "_is_paused", "_is_until_close", "_keeps",
        "_owner", "_pairs", "_parser", "_parts", "_quiet_bytes", "_size", "_transport", "_waiter",
        "fields", "idle_since", "is_idle", "is_stale", "loop", "origin", "status",
    )  # fmt: skip

    def __init__(self, *, owner: "Connections", origin: Origin) -> None:
        self._owner = owner
        self.origin = origin
        self.is_idle = False
        self.is_stale = False  # closed by the vendor, as it seems before it read the request
        self.idle_since = 0.0
        self.loop = owner.loop
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._is_broken = self._is_paused = False
        self._reset()
        self._is_complete = True  # a vendor that speaks before it was asked is not listened to

    def _reset(self) -> None:
        self.status = 0  # 0: the head has not come
        self.fields: dict[bytes, bytes] = {}
        self._pairs: list[tuple[bytes, bytes]] = []
        self._parts: list[bytes] = []
        self._size = self._quiet_bytes = 0
        self._has_heard = self._is_complete = self._is_until_close = self._keeps = False

    # The exchange

    async def exchange(self, head: bytes, body: bytes) -> None:
        """Send a request and wait for the head of its answer. Raises: Broken."""
        self._reset()
        transport = self._transport
        if transport is None or transport.is_closing():
            self.is_stale = True
            self.abort()
            raise Broken
        try:
            if not body:
                transport.write(head)
            elif len(body) <= JOINED_BYTES_MAX:
                transport.write(head + body)
            else:
                transport.writelines((head, body))
            while not self.status:
                await self._wait()
        except BaseException:
            self.abort()
            raise

    async def chunk(self) -> bytes:
        """Return what has come of the body, waiting for it; b"" at the end. Raises: Broken."""
        while not self._parts:
            if self._is_complete:
                return b""
            await self._wait()
        parts = self._parts
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self._parts, self._size = [], 0
        if self._is_paused:
            self._is_paused = False
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()
        return data

    async def _wait(self) -> None:
        if self._is_broken:
            raise Broken
        waiter = self._waiter = self.loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def leave(self) -> None:
        """Give the connection back when it may carry another exchange, else close it."""
        transport = self._transport
        if (
            self._is_complete
            and self._keeps
            and not self._is_paused
            and transport is not None
            and not transport.is_closing()
            # An early answer: the vendor may read the rest of this request as another one.
            and not transport.get_write_buffer_size()
        ):
            self._parts = []
            self._owner.keep(self)
        else:
            self.abort()

    def abort(self) -> None:
        """Close the connection at once. Idempotent; a pending read fails."""
        self._parts = []
        self._is_complete = False
        self._end()

    def _end(self) -> None:
        """Close; what came stays readable."""
        self._keeps = False
        self._is_broken = not self._is_complete
        self._owner.forget(self)
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._is_broken:  # given up while connecting
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        parser = self._parser
        if self.is_idle or self._is_complete or self._is_broken or parser is None:
            self._end()  # bytes that nobody asked for
            return
        self._has_heard = True
        progress = len(self._parts) + self.status
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._end()  # a complete answer stands; the bytes behind it do not
            return
        parts = self._parts
        if progress == len(parts) + self.status:
            # Endless heads, interim answers, trailers or chunk extensions.
            self._quiet_bytes += len(data)
            if self._quiet_bytes > HEAD_BYTES_MAX and not self._is_complete:
                self._end()
                return
        else:
            self._quiet_bytes = 0
            if self._size > BUFFER_BYTES_MAX or len(parts) > BUFFER_PARTS_MAX:
                self._pause()
        self._wake()

    def _pause(self) -> None:
        self._parts = [b"".join(self._parts)]
        if not self._is_paused and not self._is_complete and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._vendor_closed(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._vendor_closed(exc)
        self._parser = None  # it and this object hold each other

    def _vendor_closed(self, exc: Exception | None) -> None:
        if self._is_until_close and exc is None and not self._is_broken:
            self._is_complete = True
        # A broken pipe: the end had come before we wrote. A reset may follow a request read.
        self.is_stale = not self._has_heard and (exc is None or isinstance(exc, BrokenPipeError))
        self._end()

    # What the parser calls; an exception ends the exchange

    def on_message_begin(self) -> None:
        if self._is_complete:
            raise Broken

    def on_header(self, name: bytes, value: bytes) -> None:
        self._pairs.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        if parser is None:
            raise Broken
        status = parser.get_status_code()
        pairs, self._pairs = self._pairs, []
        if status < 200:
            return
        size = sum(map(len, itertools.chain.from_iterable(pairs))) + 4 * len(pairs)
        if size > HEAD_BYTES_MAX or len(pairs) > HEAD_FIELDS_MAX:
            raise Broken
        self.fields = fields = joined(pairs)
        coding = fields.get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":
            raise Broken  # no other coding was asked for, and none is undone here
        self._is_until_close = (
            coding is None and b"content-length" not in fields and status not in {204, 304}
        )
        self._keeps = parser.should_keep_alive()
        self.status = status

    def on_body(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)

    def on_message_complete(self) -> None:
        # That of an interim answer completes nothing.
        self._is_complete = bool(self.status)


class Connections:
    """The connections to all vendors of one event loop, inside which it is made."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext,
        connect_timeout_s: float,
        idle_s: float = IDLE_S,
        may_reach: sockets.MayReach | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._tls = tls
        self._connect_timeout_s = connect_timeout_s
        self._idle_s = idle_s
        self._may_reach = may_reach
        self._idle: dict[Origin, list[Connection]] = {}
        self._busy: set[Connection] = set()
        self._connecting = 0
        self._is_closed = False
        self._sweeper: asyncio.TimerHandle | None = None

    async def request(
        self, *, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Connection:
        """Send a request; return its connection when the answer's head is there.

        Raises: Unreached, Broken.
        """
        try:
            target = target_of(url)
            head = request_head(method=method, target=target, headers=headers, size=len(body))
        except ValueError as error:
            raise Unreached from error
        connection = self._take(target.origin)
        if connection is not None:
            try:
                await connection.exchange(head, body)
            except Broken:
                if not connection.is_stale:
                    raise
            else:
                return connection
        connection = await self._connect(target.origin)
        await connection.exchange(head, body)
        return connection

    def in_use(self) -> int:
        """Return how many connections are neither idle nor closed."""
        return len(self._busy) + self._connecting

    def idle(self) -> int:
        """Return how many connections wait for another exchange."""
        return sum(map(len, self._idle.values()))

    def close(self) -> None:
        """Close every connection, now and for ever."""
        self._is_closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connections in (*self._idle.values(), self._busy):
            for connection in list(connections):
                connection.abort()

    def keep(self, connection: Connection) -> None:
        """Take an idle connection back."""
        self._busy.discard(connection)
        connection.is_idle, connection.idle_since = True, self.loop.time()
        self._idle.setdefault(connection.origin, []).append(connection)
        if self._sweeper is None:
            self._sweeper = self.loop.call_later(self._idle_s, self._sweep)

    def forget(self, connection: Connection) -> None:
        """Drop a connection that is being closed. Idempotent."""
        self._busy.discard(connection)
        if connection.is_idle:
            connection.is_idle = False
            rest = self._idle[connection.origin]
            rest.remove(connection)
            if not rest:
                del self._idle[connection.origin]

    def _take(self, origin: Origin) -> Connection | None:
        """Return the connection that was used last: it is the least likely to be stale."""
        connections = self._idle.get(origin)
        if not connections:
            return None
        connection = connections[-1]
        if self.loop.time() - connection.idle_since > self._idle_s:
            for stale in list(connections):
                stale.abort()
            return None
        self.forget(connection)
        self._busy.add(connection)
        return connection

    def _sweep(self) -> None:
        now = self.loop.time()
        for connections in list(self._idle.values()):
            for connection in list(connections):
                if now - connection.idle_since >= self._idle_s:
                    connection.abort()
        self._sweeper = self.loop.call_later(self._idle_s, self._sweep) if self._idle else None

    async def _connect(self, origin: Origin) -> Connection:
        connection = Connection(owner=self, origin=origin)
        self._connecting += 1
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await self._open(connection)
        except (OSError, ValueError) as error:  # TLS and time-outs are OSErrors
            connection.abort()
            raise Unreached from error
        except BaseException:
            connection.abort()
            raise
        finally:
            self._connecting -= 1
        if self._is_closed:
            connection.abort()
            raise Unreached
        self._busy.add(connection)
        return connection

    async def _open(self, connection: Connection) -> None:
        is_tls, host, port = connection.origin
        sock = await sockets.reach(host, port, may_reach=self._may_reach)
        try:
            await self.loop.create_connection(
                lambda: connection,
                sock=sock,
                ssl=self._tls if is_tls else None,
                server_hostname=host if is_tls else None,
            )
        except BaseException:
            sock.close()
            raise
