"""One ASGI application: the API's paths go to the lean gateway, everything else to Django."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bananarouter.settings")  # noqa: TID251

import django

django.setup(set_prefix=False)

from asgiref.sync import sync_to_async  # noqa: E402 - apps first
from django.core.handlers.asgi import ASGIHandler  # noqa: E402

from bananarouter import connections, worker  # noqa: E402
from routing import gateway  # noqa: E402
from routing.streaming import Reply, send_reply  # noqa: E402


class _Pages(ASGIHandler):
    """Django's handler, which does all of a request in one visit to its thread.

    Our views and most middleware are synchronous; Django's own goes back and forth between the
    event loop and the thread for each part that could be either, eight times for a page.
    """

    # Django asks for the other kind; the parameter is its own.
    def load_middleware(self, is_async: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: Any) -> Any:
        return await sync_to_async(self.get_response)(request)


_gateway = gateway.Gateway()
_django = _Pages()


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
