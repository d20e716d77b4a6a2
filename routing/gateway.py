"""The lean ASGI handler under the API's URLs.

Django's own ASGIHandler costs a thread hop for each request and spools large bodies to disk;
this one keeps the request in memory and on the event loop, and runs no middleware.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings
from django.http import HttpRequest
from django.urls import Resolver404, URLPattern, get_resolver

from accounts.keys import Caller
from routing import errors, limits
from routing.errors import Code, RelayError
from routing.streaming import Reply, Send, Stream, send_reply
from routing.surfaces import Surface

logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Scope = Mapping[str, Any]
View = Callable[..., Awaitable[Reply | Stream]]

PREFIXES = ("/v1/", "/v1beta/", "/api/v1/")
# SDKs whose base URL lacks the version ask for these; `/v1/v1/` comes of one that has it twice.
BARE = frozenset(
    {
        "/chat/completions",
        "/completions",
        "/responses",
        "/embeddings",
        "/messages",
        "/images/generations",
        "/images/edits",
        "/images/variations",
        "/audio/speech",
        "/audio/transcriptions",
        "/audio/translations",
        "/moderations",
        "/rerank",
    }
)
DOUBLED = {
    "/v1/v1/": "/v1/",
    "/api/v1/v1/": "/api/v1/",
    "/v1beta/v1beta/": "/v1beta/",
    "/v1beta/v1/": "/v1/",
}
QUERY_FIELDS_MAX = 50


def canonical(path: str) -> str | None:
    """Return the API path that a request means, or None when it is not for the API."""
    if path.startswith(PREFIXES):
        for doubled, single in DOUBLED.items():
            if path.startswith(doubled):
                return single + path[len(doubled) :]
        return path
    return f"/v1{path}" if path in BARE or path.startswith("/messages/") else None


class Request(HttpRequest):
    """A request whose body is read by the view, once the caller is known.

    Only what the API's views and DRF's authentication need is made at once; Django's parsing of
    the query, cookies and META costs more than the rest of the hop.
    """

    caller: Caller
    auth: Caller | None = None  # what DRF's permissions ask

    def __init__(self, scope: Scope, receive: Receive, *, path: str) -> None:
        # HttpRequest's own is not called: it makes what nobody here reads.
        self.scope = scope
        self.receive = receive
        self.path = self.path_info = path
        self.method = scope["method"]
        self.source_ip = limits.client_ip(scope)

    @cached_property
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

    @cached_property
    def lower_headers(self) -> dict[str, str]:
        """The header fields by lower-case name; of a repeated one the last."""
        return {k.decode("latin-1"): v.decode("latin-1") for k, v in self.scope["headers"]}


class Gateway:
    """Routes API requests to their views and sends what these return."""

    def __init__(self) -> None:
        resolver = get_resolver("routing.urls")
        self._resolver = resolver
        # Most paths are plain text: found without trying pattern after pattern.
        self._plain: dict[str, View] = {
            f"/{p.pattern}": p.callback
            for p in resolver.url_patterns
            if isinstance(p, URLPattern)
            and not p.pattern.regex.groups
            and "(" not in str(p.pattern)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, path: str) -> None:
        """Answer one HTTP request."""
        request = Request(scope, receive, path=path)
        try:
            if settings.HTTPS and not is_encrypted(scope):
                reply: Reply | Stream = refused(request, _PLAIN)
            else:
                reply = await self._answer(request, path)
        except Exception:
            logger.exception("API view failed")
            reply = refused(request, INTERNAL)
        await send_reply(reply, send)

    async def _answer(self, request: Request, path: str) -> Reply | Stream:
        view = self._plain.get(path)
        if view is not None:
            return await view(request)
        try:
            match = self._resolver.resolve(path)
        except Resolver404:
            return refused(request, _NOT_FOUND)
        reply: Reply | Stream = await match.func(request, *match.args, **match.kwargs)
        return reply


def is_encrypted(scope: Scope) -> bool:
    """Tell whether a request came over TLS, as the proxy in front says, or never left the machine.

    A client may write X-Forwarded-Proto itself, and the proxy add its own: each must say https.
    """
    told = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    if told:
        return all(part.strip() == b"https" for part in b",".join(told).split(b","))
    is_forwarded = any(name == b"x-forwarded-for" for name, _ in scope["headers"])
    return not is_forwarded and limits.is_loopback(scope)


def refused(request: Request, error: RelayError) -> Reply:
    """Return an error outside any view, in the protocol that the path suggests."""
    return error_reply(error, surface=_surface(request.path), request_id="")


def unread(url: str, status: int) -> Reply | None:
    """Return how the server refuses what it could not read; None off the API's paths."""
    path = canonical(url.partition("?")[0])
    error = _UNREAD.get(status)
    if path is None or error is None:
        return None
    return error_reply(error, surface=_surface(path), request_id="")


def _surface(path: str) -> Surface:
    return next((s for prefix, s in _SURFACES.items() if path.startswith(prefix)), Surface.CHAT)


def error_reply(
    error: RelayError, *, surface: Surface, request_id: str, is_platform: bool = False
) -> Reply:
    """Return an error in the caller's protocol."""
    status, headers, body = errors.envelope(
        error,
        family=surface.family,
        surface=surface,
        request_id=request_id,
        is_platform=is_platform,
    )
    return Reply(body=body, status=status, headers=headers)


INTERNAL = RelayError(
    code=Code.INTERNAL,
    message="Something broke on our side, and was logged without its content. Nothing is charged.",
)
_PLAIN = RelayError(
    code=Code.HTTPS_REQUIRED,
    message="This request came without TLS, and was not read: send it to the https address. "
    "If it carried a key, others may have seen it: rotate the key.",
)
_NOT_FOUND = RelayError(
    code=Code.NOT_FOUND, message="This path is not part of the API: see the documentation."
)
_SURFACES = {
    "/v1beta/": Surface.GENERATE,
    "/v1/messages": Surface.MESSAGES,
    "/api/v1/": Surface.PLATFORM,
}
_UNREAD = {
    400: RelayError(
        code=Code.INVALID_VALUE, message="The request is not valid HTTP: mend its head or framing."
    ),
    408: RelayError(
        code=Code.REQUEST_TIMEOUT, message="The request did not arrive in time: send it again."
    ),
    413: RelayError(
        code=Code.BODY_TOO_LARGE, message="The request body is over the limit: send less."
    ),
    431: RelayError(
        code=Code.HEADERS_TOO_LARGE,
        message="The request has too many or too large headers: send fewer.",
    ),
}
