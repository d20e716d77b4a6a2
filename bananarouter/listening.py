"""The sockets that gateway workers and the demo vendor inherit."""

import errno
import socket

BACKLOG = 2_048


class PortBusy(Exception):
    """Somebody else listens there already."""


def open_all(host: str, port: int, *, count: int, shares_port: bool = False) -> list[socket.socket]:
    """Open `count` listening sockets on one port, between which the kernel spreads connections.

    We keep them open: what is queued for a worker that dies waits for its next life. With
    `shares_port` another generation of this gateway may listen there too. Raises: PortBusy.
    """
    if not shares_port and port:
        _probe(host, port)
    sockets: list[socket.socket] = []
    for _ in range(count):
        sockets.append(_open(host, port))
        port = sockets[0].getsockname()[1]
    return sockets


def open_one(port: int) -> socket.socket:
    """Open a listening socket on a loopback port, or on any free one when that is taken."""
    try:
        return socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    except OSError:
        return socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)


def free_port() -> int:
    """Return a loopback port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _probe(host: str, port: int) -> None:
    """Bind once without SO_REUSEPORT, which would let us share the port of a stranger."""
    try:
        socket.create_server((host, port), family=_family(host)).close()
    except OSError as error:
        raise _explained(error, host, port) from error


def _open(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port), family=_family(host), backlog=BACKLOG, reuse_port=True
        )
    except OSError as error:
        raise _explained(error, host, port) from error


def _explained(error: OSError, host: str, port: int) -> Exception:
    if error.errno == errno.EADDRINUSE:
        return PortBusy(f"{host}:{port} is taken by another program: choose one with --port.")
    return PortBusy(f"{host}:{port} cannot be used: {error.strerror}.")
