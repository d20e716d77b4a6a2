"""Clients at the socket that keep a record of every byte which they received, and when."""

import asyncio
import json
import socket
import struct
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.crash_vendor import TOKEN, Plan

READ_TIMEOUT_S = 45.0

_wires: list["Wire"] = []


def run(main):
    """Run the clients of a test; whatever they leave open is closed."""
    return asyncio.run(_run(main))


async def _run(main):
    try:
        return await main
    finally:
        writers = [wire.writer for wire in _wires]
        _wires.clear()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*(w.wait_closed() for w in writers), return_exceptions=True)


@dataclass(kw_only=True)
class Record:
    """What one client saw of one request."""

    plan: Plan
    pid: int = 0  # the worker that served it
    sent_at: float = 0.0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray, repr=False)
    arrivals: list[tuple[float, int]] = field(default_factory=list, repr=False)
    is_whole: bool = False  # the answer's own end arrived, on the level of HTTP
    ended_at: float | None = None

    @property
    def request_id(self) -> uuid.UUID | None:
        found = self.headers.get("x-generation-id")
        return uuid.UUID(found.removeprefix("gen-")) if found else None

    @property
    def is_delivered(self) -> bool:
        """True when the client has the complete answer."""
        if self.status != 200 or not self.is_whole:
            return False
        return not self.plan.is_stream or self.body.endswith(b"data: [DONE]\n\n")

    def tokens(self, until: float | None = None) -> int:
        """Return how many tokens had arrived; of a whole answer all or none."""
        size = len(self.body)
        if until is not None:
            size = max((n for at, n in self.arrivals if at <= until), default=0)
        if not self.plan.is_stream:
            return self.plan.tokens if self.is_delivered and size == len(self.body) else 0
        return bytes(self.body[:size]).count(
            json.dumps({"content": TOKEN})[1:-1].replace(": ", ":").encode()
        )

    def bytes_after(self, moment: float) -> int:
        return sum(
            n - before
            for (_, before), (at, n) in zip([(0, 0), *self.arrivals], self.arrivals, strict=False)
            if at > moment
        )


class Wire:
    """One HTTP/1.1 connection."""

    def __init__(self, port: int, key: str) -> None:
        self.port = port
        self.key = key
        self.pid = 0
        self.local_port = 0
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def open(self) -> "Wire":
        """Connect, and see that a worker answers."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        _wires.append(self)
        self.local_port = self.writer.get_extra_info("sockname")[1]
        self.writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(READ_TIMEOUT_S):
            await self.answer(Record(plan=Plan(number=0)))
        return self

    def send(self, plan: Plan, *, model: str = "crash-model", headers: str = "") -> Record:
        body = plan.request(model)
        self.writer.write(self.head(len(body), headers) + body)
        return Record(plan=plan, pid=self.pid, sent_at=time.monotonic())

    def head(self, size: int, headers: str = "") -> bytes:
        lines = [
            "POST /v1/chat/completions HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {self.key}",
            "Content-Type: application/json",
            f"Content-Length: {size}",
        ]
        return ("\r\n".join(lines) + "\r\n" + headers + "\r\n").encode()

    async def call(self, plan: Plan, **options: str) -> Record:
        """Send a request and read its answer as far as it comes."""
        return await self.answer(self.send(plan, **options))

    async def answer(self, record: Record) -> Record:
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                await self._read(record)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.close()
        finally:
            record.ended_at = time.monotonic()
        return record

    async def head_of(self, record: Record) -> None:
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        for line in lines:
            name, _, value = line.partition(":")
            record.headers[name.strip().lower()] = value.strip()
        record.status = int(first.split(" ")[1])

    async def _read(self, record: Record) -> None:
        await self.head_of(record)
        if record.headers.get("transfer-encoding") == "chunked":
            while await self.chunk(record):
                continue
        else:
            left = int(record.headers.get("content-length", 0))
            while left:
                part = await self.reader.read(left)
                if not part:
                    raise asyncio.IncompleteReadError(b"", left)
                left -= len(part)
                self._note(record, part)
        record.is_whole = True

    async def chunk(self, record: Record) -> int:
        """Read one chunk; return its size."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        try:
            part = await self.reader.readexactly(size + 2)
        except asyncio.IncompleteReadError as error:
            self._note(record, error.partial[:size])
            raise
        if size:
            self._note(record, part[:-2])
        return size

    def _note(self, record: Record, part: bytes) -> None:
        record.body += part
        record.arrivals.append((time.monotonic(), len(record.body)))

    def close(self) -> None:
        self.writer.transport.abort()

    def reset(self) -> None:
        """Leave with RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def owners(port: int, pids: list[int]) -> dict[int, int]:
    """Return which process holds the accepted end of each connection to `port`, by client port."""
    inodes: dict[str, int] = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote = (int(part.rpartition(":")[2], 16) for part in fields[1:3])
        if local == port:
            inodes[fields[9]] = remote
    return {client: pid for pid, client in _held(inodes, pids)}


def outgoing(pid: int, port: int) -> set[int]:
    """Return the local ports of a process's connections to `port`."""
    inodes: dict[str, int] = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote = (int(part.rpartition(":")[2], 16) for part in fields[1:3])
        if remote == port:
            inodes[fields[9]] = local
    return {local for _, local in _held(inodes, [pid])}


def _held(inodes: dict[str, int], pids: list[int]):
    for pid in pids:
        for file in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(file.readlink())
            except OSError:
                continue
            if target.startswith("socket:[") and target[8:-1] in inodes:
                yield pid, inodes[target[8:-1]]


async def spread(port: int, key: str, pids: list[int], *, each: int) -> dict[int, list[Wire]]:
    """Open at least `each` connections to every worker; the kernel chooses, so more are tried."""
    held: dict[int, list[Wire]] = {pid: [] for pid in pids}
    while min(map(len, held.values())) < each:
        opened = await asyncio.gather(*(Wire(port, key).open() for _ in range(each * len(pids))))
        found = owners(port, pids)
        for wire in opened:
            wire.pid = found.get(wire.local_port, 0)
            mine = held.get(wire.pid)
            if mine is None or len(mine) >= each:
                wire.close()
            else:
                mine.append(wire)
    return held
