"""One ASGI application: the API's paths go to the lean gateway, everything else to Django."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bananarouter.settings")  # noqa: TID251

from django.core.asgi import get_asgi_application

_django = get_asgi_application()

from bananarouter import worker  # noqa: E402 - apps first
from routing import gateway  # noqa: E402

_gateway = gateway.Gateway()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Serve one connection's scope."""
    if scope["type"] == "http":
        path = gateway.canonical(scope["path"])
        if path is not None:
            await _gateway(scope, receive, send, path=path)
        else:
            await _django(scope, receive, send)
    elif scope["type"] == "lifespan":
        await worker.lifespan(receive, send)
