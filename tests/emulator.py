"""A vendor for tests at the socket: does exactly what a script for a model's name says.

It runs on a thread of its own and records every connection, every request and what was sent
back, so that tests can compare the vendor's own log with charges and with what clients got.
"""

import asyncio
import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

HEAD_BYTES_MAX = 1 << 20
FOREVER_S = 3_600


@dataclass(frozen=True, kw_only=True)
class Script:
    """One answer: `chunks` are written one by one, `gap_s` apart, then `end` happens.

    ends: "whole" finishes the body; "cut" closes without the end of the chunked body;
    "reset" sends RST; "stall" stays silent. Streams are chunked, else Content-Length is sent.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    chunks: Sequence[bytes] = ()
    is_chunked: bool = False
    first_s: float = 0.0  # before the head
    gap_s: float = 0.0  # before each chunk
    slice_bytes: int | None = None  # write so many bytes at a time
    end: str = "whole"
    answers: bool = True  # False: never even a head ("stall") or RST before it ("reset")


@dataclass(kw_only=True)
class Exchange:
    """One request as the vendor saw it."""

    number: int
    connection: int
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes = field(repr=False)
    model: str
    began_at: float
    sent: bytearray = field(default_factory=bytearray, repr=False)  # body bytes, unframed
    chunks_sent: int = 0
    end: str = ""  # whole, cut, reset, stall; "gone": the caller hung up first
    ended_at: float | None = None

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def json(self):
        return json.loads(self.body)


Rule = Script | Callable[[Exchange], Script]


class Vendor:
    """The server. `scripts` maps a model's name to its script, or to a function that makes one."""

    def __init__(self, default: Rule | None = None) -> None:
        self.scripts: dict[str, Rule] = {}
        self.default = default
        self.exchanges: list[Exchange] = []
        self.received = bytearray()  # every byte of every connection
        self.connections = 0
        self.open_connections = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="vendor")

    def start(self) -> "Vendor":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def dials(self, model: str | None = None) -> int:
        """Return how many requests came in, for one model or for all."""
        return len(self.of(model)) if model else len(self.exchanges)

    def of(self, model: str) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.model == model]

    def by_model(self) -> Counter[str]:
        return Counter(exchange.model for exchange in self.exchanges)

    def forget(self) -> None:
        self.exchanges.clear()
        self.received.clear()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, limit=HEAD_BYTES_MAX, backlog=4096
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        # A connection that was just accepted becomes a task a turn later; transports close so.
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        number = self.connections
        try:
            while (exchange := await self._read(reader, number)) is not None:
                if not await self._answer(exchange, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            self.open_connections -= 1
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, connection: int) -> Exchange | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            self.received += error.partial
            return None
        self.received += head
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = first.split(" ")
        headers = [(name.strip(), value.strip()) for name, _, value in
                   (line.partition(":") for line in lines)]  # fmt: skip
        known = {name.lower(): value for name, value in headers}
        body = await self._read_body(reader, known)
        exchange = Exchange(
            number=len(self.exchanges), connection=connection, method=method, path=path,
            headers=headers, body=body, model=_model(path, body), began_at=time.monotonic(),
        )  # fmt: skip
        self.exchanges.append(exchange)
        return exchange

    async def _read_body(self, reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", ""):
            body = b""
            while True:
                line = await reader.readuntil(b"\r\n")
                part = await reader.readexactly(int(line.split(b";")[0], 16) + 2)
                self.received += line + part
                if part == b"\r\n":
                    return body
                body += part[:-2]
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.received += body
        return body

    def _script(self, exchange: Exchange) -> Script:
        rule = self.scripts.get(exchange.model, self.default)
        if rule is None:
            body = b'{"error":{"message":"no script","type":"invalid_request_error"}}'
            return Script(status=404, chunks=[body])
        return rule(exchange) if callable(rule) else rule

    async def _answer(
        self, exchange: Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Play the script; return whether the connection may serve another request."""
        script = self._script(exchange)
        watch = asyncio.ensure_future(reader.read(1))  # the caller hangs up: EOF
        play = asyncio.ensure_future(self._play(script, exchange, writer))
        try:
            await asyncio.wait({watch, play}, return_when=asyncio.FIRST_COMPLETED)
            if not play.done():
                exchange.end = exchange.end or "gone"
                return False
            play.result()
            if script.end != "whole" or not script.answers:
                return False
            # Wait for the next request; its first byte was read by the watch.
            if first := await watch:
                reader._buffer[:0] = first  # put it back
            return bool(first)
        except ConnectionError:
            exchange.end = "gone"
            return False
        finally:
            play.cancel()
            watch.cancel()
            exchange.ended_at = time.monotonic()

    async def _play(self, script: Script, exchange: Exchange, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(script.first_s)
        if script.answers:
            writer.write(_head(script))
            for chunk in script.chunks:
                await asyncio.sleep(script.gap_s)
                framed = b"%x\r\n%s\r\n" % (len(chunk), chunk) if script.is_chunked else chunk
                await _write(writer, framed, script.slice_bytes)
                exchange.sent += chunk
                exchange.chunks_sent += 1
        if script.end == "whole" and script.answers and script.is_chunked:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        if script.end == "stall":
            await asyncio.sleep(FOREVER_S)
        if script.end == "reset":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        exchange.end = script.end


def _model(path: str, body: bytes) -> str:
    """Return the model that a request names: in the path (Gemini, Azure), a form, or the JSON."""
    for marker in ("/models/", "/deployments/"):
        if marker in path:
            tail = path.partition(marker)[2].partition("?")[0]
            return tail.partition("/")[0] if marker == "/deployments/" else tail.rpartition(":")[0]
    if found := re.search(rb'name="model"\r\n\r\n([^\r\n]*)', body):  # a form
        return found[1].decode()
    try:
        return str(json.loads(body).get("model", ""))
    except (ValueError, AttributeError):
        return ""


def _head(script: Script) -> bytes:
    lines = [f"HTTP/1.1 {script.status} Scripted"]
    lines += [f"{name}: {value}" for name, value in script.headers]
    if script.is_chunked:
        lines.append("Transfer-Encoding: chunked")
    else:
        lines.append(f"Content-Length: {sum(map(len, script.chunks))}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def _write(writer: asyncio.StreamWriter, data: bytes, slice_bytes: int | None) -> None:
    size = slice_bytes or len(data) or 1
    for at in range(0, len(data), size):
        writer.write(data[at : at + size])
        await writer.drain()
        if slice_bytes:
            await asyncio.sleep(0)  # a separate packet
