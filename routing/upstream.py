"""The only speaker of upstream HTTP: connections, deadlines, byte limits."""

import contextlib
import enum
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from django.conf import settings
from yarl import URL

from routing.deadline import Deadline

ANSWER_BYTES_MAX = 64 << 20
ERROR_BYTES_MAX = 1 << 20
KEEPALIVE_S = 30.0
RECYCLE_READ_BYTES = 64 << 10


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
        return f"Call({self.method} {URL(self.url).host})"


class Answer:
    """A vendor's answer whose head has arrived."""

    __slots__ = ("_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = response.headers

    async def chunk(self) -> bytes:
        """Return the next bytes as they come; b"" at the end. Raises: UpstreamFailed."""
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UpstreamFailed(Fault.RESET) from error

    async def whole(self, *, bytes_max: int = ANSWER_BYTES_MAX) -> bytes:
        """Return the whole body. Raises: UpstreamFailed when it breaks or is too large."""
        first = await self.chunk()
        if not first or self._response.content.at_eof():
            parts = [first]
        else:
            parts, size = [first], len(first)
            while part := await self.chunk():
                parts.append(part)
                size += len(part)
                if size > bytes_max:
                    self.abort()
                    raise UpstreamFailed(Fault.TOO_LARGE)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def abort(self) -> None:
        """Close the connection: it is not reused. Idempotent; a pending read fails."""
        self._response.close()

    def leave(self) -> None:
        """Give the connection back when the body was read to its end, else close it."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class Pool:
    """Connections to all vendors, one pool for each worker."""

    def __init__(self) -> None:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        connector = aiohttp.TCPConnector(
            limit=0, ssl=context, keepalive_timeout=KEEPALIVE_S, ttl_dns_cache=300
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.CONNECT_TIMEOUT_S),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            read_bufsize=RECYCLE_READ_BYTES,
            trust_env=False,
        )

    async def open(self, call: Call, *, first_byte_timeout_s: float) -> Answer:
        """Send the call and wait for the head of the answer. Raises: UpstreamFailed."""
        try:
            with Deadline(first_byte_timeout_s):
                response = await self._session.request(
                    call.method,
                    URL(call.url, encoded=True),
                    data=call.body,
                    headers=call.headers,
                    allow_redirects=False,
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise UpstreamFailed(Fault.CONNECT) from error
        except TimeoutError as error:
            raise UpstreamFailed(Fault.TIMEOUT) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamFailed(Fault.RESET) from error
        return Answer(response)

    def in_use(self) -> int:
        """Return how many connections are neither idle nor closed."""
        return len(self._session.connector._acquired) if self._session.connector else 0  # noqa: SLF001

    async def close(self) -> None:
        """Close every connection."""
        with contextlib.suppress(Exception):
            await self._session.close()


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
