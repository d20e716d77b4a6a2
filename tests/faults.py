"""A TCP proxy that spoils connections, in the vocabulary of Toxiproxy."""

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Toxics:
    """What happens to connections; the byte counts are of what the target sends."""

    latency_s: float = 0.0
    slice_bytes: int | None = None  # slicer
    timeout_after: int | None = None  # silent after so many bytes
    reset_after: int | None = None  # reset_peer
    limit_bytes: int | None = None  # limit_data: a clean close
    refuses: bool = False  # accept and reset at once


class Proxy:
    """Listens on a loopback port for a target's; `toxics` may change while it runs."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.toxics = Toxics()
        self.port = 0
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        # The loop refers to its tasks weakly: one whose socket is closed may be collected unended.
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, daemon=True, name="faults")

    def start(self) -> "Proxy":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def set(self, **toxics) -> None:
        """Change some toxics, for connections to come and for the bytes of running ones."""
        self.toxics = replace(self.toxics, **toxics)

    def heal(self) -> None:
        self.toxics = Toxics()

    def cut_all(self) -> None:
        """Reset every running connection."""
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        # A connection that was just accepted becomes a task a turn later; transports close so.
        while await self._cancel_all():
            await asyncio.sleep(0.01)

    async def _cancel_all(self) -> int:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)
        return len(tasks)

    def _keep(self, task: "asyncio.Task[None]") -> "asyncio.Task[None]":
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if (own := asyncio.current_task()) is not None:
            self._keep(own)
        if self.toxics.refuses:
            _reset(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            _reset(writer)
            return
        pumps = [
            self._keep(asyncio.ensure_future(self._pump(reader, far_writer))),
            self._keep(asyncio.ensure_future(self._spoil(far_reader, writer))),
        ]
        try:
            await asyncio.gather(*pumps)
        except (ConnectionError, asyncio.CancelledError):
            for end in (writer, far_writer):
                _reset(end)
        finally:
            for pump in pumps:
                pump.cancel()
            for end in (writer, far_writer):
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await asyncio.sleep(self.toxics.latency_s)
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            with contextlib.suppress(OSError):
                writer.write_eof()

    async def _spoil(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passed = 0
        while data := await reader.read(65536):
            await asyncio.sleep(self.toxics.latency_s)
            for at in range(0, len(data), self.toxics.slice_bytes or len(data)):
                part = data[at : at + (self.toxics.slice_bytes or len(data))]
                part, verdict = self._judge(part, passed)
                writer.write(part)
                await writer.drain()
                passed += len(part)
                if verdict == "silent":
                    await asyncio.sleep(3_600)
                if verdict == "reset":
                    raise ConnectionResetError
                if verdict == "close":
                    writer.close()
                    return
        writer.close()

    def _judge(self, part: bytes, passed: int) -> tuple[bytes, str]:
        """Return how much of a part passes, and what happens then."""
        toxics = self.toxics
        for limit, verdict in (
            (toxics.timeout_after, "silent"),
            (toxics.reset_after, "reset"),
            (toxics.limit_bytes, "close"),
        ):
            if limit is not None and passed + len(part) >= limit:
                return part[: max(0, limit - passed)], verdict
        return part, ""


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and not writer.transport.is_closing():
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
