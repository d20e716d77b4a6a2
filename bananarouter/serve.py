"""`python -m bananarouter.serve --fd N`: one gateway worker on an inherited socket."""

import argparse
import os
import socket
import sys

from bananarouter import env


def main() -> None:
    """Serve until SIGTERM; tell `--ready-fd` when requests are taken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="an inherited listening socket")
    parser.add_argument("--ready-fd", type=int, help="a pipe that gets one byte when ready")
    options = parser.parse_args()
    env.use_settings()
    # Loading is most of the time of a start: it is done before the supervisor lets us go.
    from bananarouter import asgi  # noqa: PLC0415 - sets Django up, first of all

    del asgi
    from bananarouter import server  # noqa: PLC0415 - needs Django

    sys.stdin.read()
    code = server.serve(
        [socket.socket(fileno=options.fd)],
        on_ready=lambda: _tell(options.ready_fd),
    )
    sys.exit(code)


def _tell(descriptor: int | None) -> None:
    if descriptor is not None:
        os.write(descriptor, b"1")


if __name__ == "__main__":
    main()
