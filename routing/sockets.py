"""Connected sockets: the addresses of a host race, so that a dead one costs no call."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

# How long one address may keep the next one waiting (RFC 8305, section 5).
STAGGER_S = 0.25
ADDRESSES_MAX = 8

Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]


MayReach = Callable[[str], bool]  # of an address, as text


async def reach(host: str, port: int, *, may_reach: MayReach | None = None) -> socket.socket:
    """Return a connected socket: addresses race with a small head start (RFC 8305).

    With `may_reach`, every address that the host has now must pass: one that does not refuses
    the host, and what was checked is what is connected to.
    """
    addresses = await _addresses(host, port)
    if may_reach is not None and not all(may_reach(place[0]) for _, place in addresses):
        raise ConnectionError("an address of the host is not allowed")
    tasks: list[asyncio.Task[socket.socket]] = []
    winner: socket.socket | None = None
    try:
        for n, address in enumerate(addresses, 1):
            tasks.append(asyncio.ensure_future(_connected(address)))
            winner = await _first(tasks, timeout_s=STAGGER_S if n < len(addresses) else None)
            if winner is not None:
                return winner
        raise ConnectionError("no address of the host answers")
    finally:
        for task in tasks:
            if not task.cancel() and not task.exception() and task.result() is not winner:
                task.result().close()


async def _first(
    tasks: list[asyncio.Task[socket.socket]], *, timeout_s: float | None
) -> socket.socket | None:
    """Wait for a success; with a time-out, for a failure as well."""
    while pending := [task for task in tasks if not task.done()]:
        await asyncio.wait(pending, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done() and not task.exception():
                return task.result()
        if timeout_s is not None:
            break
    return None


async def _connected(address: Address) -> socket.socket:
    family, place = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, place)
    except BaseException:
        sock.close()
        raise
    return sock


async def _addresses(host: str, port: int) -> list[Address]:
    """Return the host's addresses, its families taking turns."""
    kind = socket.SOCK_STREAM
    try:  # an address needs no thread
        found = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=kind)
    first = [info for info in found if info[0] == found[0][0]]
    others = [info for info in found if info[0] != found[0][0]]
    turns = [info for n in range(len(found)) for info in (*first[n : n + 1], *others[n : n + 1])]
    return [(info[0], cast("tuple[str, int]", info[4])) for info in turns[:ADDRESSES_MAX]]
