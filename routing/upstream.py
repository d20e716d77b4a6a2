"""The only speaker of upstream HTTP: connections, deadlines, byte limits."""

import asyncio
import contextlib
import enum
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from routing.deadline import Deadline
from routing.decoding import Decoder, Undecodable
from routing.http_head import Headers
from routing.transport import Broken, Connection, Connections, Unreached

ANSWER_BYTES_MAX = 64 << 20
ERROR_BYTES_MAX = 1 << 20


class Fault(enum.StrEnum):
    """How a vendor failed to answer."""

    CONNECT = "connect"  # nothing was sent: DNS, refused, TLS
    TIMEOUT = "timeout"  # sent, no answer in time: the vendor may bill it
    RESET = "reset"  # the connection broke
    TOO_LARGE = "too_large"


class UpstreamFailed(Exception):
    """The vendor did not answer, or not to the end."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to a vendor. Headers hold the credential: never log or print one."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"

    def __repr__(self) -> str:
        return f"Call({self.method} {urlsplit(self.url).hostname})"


class Answer:
    """A vendor's answer whose head has arrived."""

    __slots__ = ("_connection", "_decoder", "headers", "status")

    def __init__(self, connection: Connection) -> None:
        """Raises: Undecodable for a content coding that cannot be undone."""
        self._connection: Connection | None = connection
        self.status = connection.status
        fields = connection.fields
        coding = fields.get(b"content-encoding", b"").lower()
        self._decoder: Decoder | None = None
        if coding not in {b"", b"identity"}:
            self._decoder = Decoder(coding.decode("latin-1"))
            # Both speak of the bytes that came, not of those that are read here.
            unsaid = (b"content-encoding", b"content-length")
            fields = {name: value for name, value in fields.items() if name not in unsaid}
        self.headers = Headers(fields)

    async def chunk(self) -> bytes:
        """Return the next bytes as they come; b"" at the end. Raises: UpstreamFailed."""
        if self._connection is None:
            return b""
        try:
            if self._decoder is None:
                return await self._connection.chunk()
            return await self._decoded(self._connection, self._decoder)
        except (Broken, Undecodable) as error:
            self.abort()
            raise UpstreamFailed(Fault.RESET) from error

    async def _decoded(self, connection: Connection, decoder: Decoder) -> bytes:
        while not (data := decoder.step()):
            encoded = await connection.chunk()
            if not encoded:
                decoder.end()
                break
            decoder.feed(encoded)
        return data

    async def whole(self, *, bytes_max: int = ANSWER_BYTES_MAX) -> bytes:
        """Return the whole body. Raises: UpstreamFailed when it breaks or is too large."""
        parts: list[bytes] = []
        size = 0
        while part := await self.chunk():
            parts.append(part)
            size += len(part)
            if size > bytes_max:
                self.abort()
                raise UpstreamFailed(Fault.TOO_LARGE)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def abort(self) -> None:
        """Close the connection: it is not reused. Idempotent; a pending read fails."""
        if self._connection is not None:
            self._connection.abort()

    def leave(self) -> None:
        """Give the connection back when the body came to its end, else close it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave()

    def __del__(self) -> None:
        # Forgotten with its connection, maybe in another thread: close it in its own.
        connection: Connection | None = getattr(self, "_connection", None)
        if connection is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and so is all else
                connection.loop.call_soon_threadsafe(connection.abort)


class Pool:
    """Connections to all vendors, one pool for each worker."""

    def __init__(self) -> None:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        self._connections = Connections(tls=context, connect_timeout_s=settings.CONNECT_TIMEOUT_S)

    async def open(self, call: Call, *, first_byte_timeout_s: float | None = None) -> Answer:
        """Send the call and wait for the head of the answer. Raises: UpstreamFailed.

        Without a time-out (None or 0) a deadline of the caller's own is running.
        """
        try:
            if not first_byte_timeout_s:
                return await self._open(call)
            with Deadline(first_byte_timeout_s):
                return await self._open(call)
        except Unreached as error:
            raise UpstreamFailed(Fault.CONNECT) from error
        except TimeoutError as error:
            raise UpstreamFailed(Fault.TIMEOUT) from error
        except (Broken, Undecodable) as error:
            raise UpstreamFailed(Fault.RESET) from error

    async def _open(self, call: Call) -> Answer:
        connection = await self._connections.request(
            method=call.method, url=call.url, headers=call.headers, body=call.body
        )
        try:
            return Answer(connection)
        except Undecodable:
            connection.abort()
            raise

    def in_use(self) -> int:
        """Return how many connections are neither idle nor closed."""
        return self._connections.in_use()

    async def close(self) -> None:
        """Close every connection."""
        self._connections.close()
        # Their sockets close in the next turns of the loop.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


_pool: Pool | None = None


def pool() -> Pool:
    """Return this worker's pool; made at the first use, inside the event loop."""
    global _pool  # noqa: PLW0603
    if _pool is None:
        _pool = Pool()
    return _pool


async def close() -> None:
    """Close this worker's pool."""
    global _pool
    if _pool is not None:
        closing, _pool = _pool, None
        await closing.close()
