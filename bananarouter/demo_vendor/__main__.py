"""`python -m bananarouter.demo_vendor --port N`: the demo vendor alone, on loopback."""

import argparse
import socket

from aiohttp import web

from bananarouter.demo_vendor import server, tokens


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--port", type=int, help="a port of 127.0.0.1")
    place.add_argument("--fd", type=int, help="an inherited listening socket")
    options = parser.parse_args()
    if options.fd is None:
        listener = socket.create_server(("127.0.0.1", options.port))
    else:
        listener = socket.socket(fileno=options.fd)
    tokens.count("")  # loads the tokenizer before the first request waits for it
    web.run_app(
        server.application(), sock=listener, access_log=None, print=None, shutdown_timeout=1
    )


if __name__ == "__main__":
    main()
