"""The lean ASGI handler under the API's URLs.

Django's own ASGIHandler costs a thread hop for each request and spools large bodies to disk;
this one keeps the request in memory and on the event loop, and runs no middleware.
"""

import io
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, get_resolver

from accounts.keys import Caller
from routing import errors, limits
from routing.errors import Code, RelayError
from routing.streaming import LAST, Send, Stream
from routing.surfaces import Surface

logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Scope = Mapping[str, Any]

PREFIXES = ("/v1/", "/v1beta/", "/api/v1/")
# SDKs whose base URL lacks the version ask for these; `/v1/v1/` comes of one that has it twice.
BARE = frozenset({"/chat/completions", "/responses", "/embeddings", "/messages"})
QUERY_FIELDS_MAX = 50
DOUBLED = {"/v1/v1/": "/v1/", "/v1beta/v1beta/": "/v1beta/", "/v1beta/v1/": "/v1/"}


def canonical(path: str) -> str | None:
    """Return the API path that a request means, or None when it is not for the API."""
    if path.startswith(PREFIXES):
        for doubled, single in DOUBLED.items():
            if path.startswith(doubled):
                return single + path[len(doubled) :]
        return path
    return f"/v1{path}" if path in BARE or path.startswith("/messages/") else None


class Request(ASGIRequest):
    """A request whose body is read by the view, once the caller is known."""

    receive: Receive
    source_ip: str
    caller: Caller

    @property
    def fields(self) -> dict[str, str]:
        """The query's fields; of a repeated one the first. The key is not among them."""
        query = self.scope["query_string"].decode("latin-1")
        if not query:
            return {}
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=QUERY_FIELDS_MAX)
        except ValueError:
            return {}
        return {k: v for k, v in reversed(pairs) if k != "key"}


class Gateway:
    """Routes API requests to their views and sends what these return."""

    def __init__(self) -> None:
        self._resolver = get_resolver("routing.urls")

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, path: str) -> None:
        """Answer one HTTP request."""
        request = Request({**scope, "path": path, "raw_path": path.encode()}, io.BytesIO())
        request.receive = receive
        request.source_ip = limits.client_ip(scope)
        try:
            match = self._resolver.resolve(path)
        except Resolver404:
            response = refused(request, _not_found())
        else:
            try:
                response = await match.func(request, *match.args, **match.kwargs)
            except Exception:
                logger.exception("API view failed")
                response = refused(request, _INTERNAL)
        await _send(response, send)


def refused(request: Request, error: RelayError) -> HttpResponseBase:
    """Return an error outside any view, in the protocol that the path suggests."""
    surface = Surface.GENERATE if request.path.startswith("/v1beta/") else Surface.CHAT
    return errors_response(error, surface=surface, request_id="")


def errors_response(error: RelayError, *, surface: Surface, request_id: str) -> HttpResponseBase:
    """Return an error in the caller's protocol."""
    status, headers, body = errors.envelope(
        error, family=surface.family, surface=surface, request_id=request_id
    )
    return HttpResponse(body, status=status, headers=headers)


_INTERNAL = RelayError(
    code=Code.INTERNAL,
    message="Something broke on our side, and was logged without its content. Nothing is charged.",
)


def _not_found() -> RelayError:
    return RelayError(
        code=Code.NOT_FOUND, message="This path is not part of the API: see the documentation."
    )


async def _send(response: HttpResponseBase, send: Send) -> None:
    headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in response.items()]
    head = {"type": "http.response.start", "status": response.status_code, "headers": headers}
    if isinstance(response, Stream):
        await send(head)
        await response.pump(send)
        await send(LAST)
        return
    body: bytes = response.content  # type: ignore[attr-defined]
    headers.append((b"content-length", b"%d" % len(body)))
    await send(head)
    await send({"type": "http.response.body", "body": body, "more_body": False})
