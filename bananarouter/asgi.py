"""One ASGI application: the API's paths go to the lean gateway, everything else to Django."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bananarouter.settings")  # noqa: TID251

from django.core.asgi import get_asgi_application

_django = get_asgi_application()

from bananarouter import connections, worker  # noqa: E402 - apps first
from routing import gateway  # noqa: E402
from routing.streaming import Reply, send_reply  # noqa: E402

_gateway = gateway.Gateway()


# Forms are small; what is larger was meant for the API, and is refused before it is read.
PAGE_BODY_BYTES_MAX = 1 << 20
# Ten thousand leaked keys come in one message.
LARGER = {"/leaked-keys": 8 << 20}
_TOO_LARGE = Reply(status=413, body=b"This page takes no more than 1 MiB.\n",
                   headers={"content-type": "text/plain; charset=utf-8"})  # fmt: skip


def _is_small(path: str, headers: Any) -> bool:
    """Tell whether a page may read the body: its length is told, and within the limit."""
    named = dict(headers)
    length = named.get(b"content-length", b"0")
    is_told = b"transfer-encoding" not in named
    return is_told and length.isdigit() and int(length) <= LARGER.get(path, PAGE_BODY_BYTES_MAX)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Serve one connection's scope."""
    if scope["type"] == "http":
        path = gateway.canonical(scope["path"])
        if path is not None:
            await _gateway(scope, receive, send, path=path)
        elif _is_small(scope["path"], scope["headers"]):
            await connections.lend(_django, scope, receive, send)
        else:
            await send_reply(_TOO_LARGE, send)
    elif scope["type"] == "lifespan":
        await worker.lifespan(receive, send)
