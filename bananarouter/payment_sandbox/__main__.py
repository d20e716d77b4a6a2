"""`python -m bananarouter.payment_sandbox --port N --keys FILE`: the sandbox on loopback."""

import argparse
import socket
from pathlib import Path

from aiohttp import web

from bananarouter.payment_sandbox import keys, server
from bananarouter.payment_sandbox.desk import Desk


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--port", type=int, help="a port of 127.0.0.1")
    place.add_argument("--fd", type=int, help="an inherited listening socket")
    parser.add_argument("--keys", type=Path, required=True, help="made when there is none")
    options = parser.parse_args()
    if options.fd is None:
        listener = socket.create_server(("127.0.0.1", options.port))
    else:
        listener = socket.socket(fileno=options.fd)
    desk = Desk(keys=keys.load(options.keys), url=f"http://127.0.0.1:{listener.getsockname()[1]}")
    web.run_app(
        server.application(desk), sock=listener, access_log=None, print=None, shutdown_timeout=1
    )


if __name__ == "__main__":
    main()
