"""What all views of the proxy API share: the caller, errors in the caller's protocol, the log."""

import logging
import time
from typing import Any, ClassVar

from rest_framework.permissions import BasePermission
from rest_framework.views import APIView

from accounts import keys
from accounts.authentication import ApiKeyAuthentication, CallsModels, HasKey, key_text
from accounts.keys import Caller
from routing import captures, limits
from routing.body import ClientGone
from routing.errors import Code, RelayError
from routing.exchange import CLIENT_CLOSED, Exchange
from routing.gateway import INTERNAL, Request, error_reply
from routing.streaming import Reply, Stream
from routing.surfaces import Surface

logger = logging.getLogger(__name__)

REFUSALS = {
    "malformed": (Code.INVALID_KEY, "This is not one of our API keys: check that it is whole."),
    "unknown": (Code.INVALID_KEY, "This API key does not exist: it may have been revoked."),
    "expired": (Code.EXPIRED_KEY, "This API key has expired: create a new one."),
    "disabled": (Code.DISABLED_KEY, "This API key was revoked: create a new one."),
    "paused": (
        Code.DISABLED_KEY,
        "This API key is disabled: enable it with a management key, or use another.",
    ),
    "ip_not_allowed": (
        Code.IP_NOT_ALLOWED,
        "This API key may not be used from this network address.",
    ),
    "account_inactive": (Code.ACCOUNT_INACTIVE, "This account is closed: contact support."),
}


PLATFORM_PREFIX = "/api/v1/"
# DRF's view answers OPTIONS by itself, in its own way.
METHODS = frozenset({"get", "post", "patch", "delete"})
AUTHENTICATORS = (ApiKeyAuthentication(),)


class ProxyView(APIView):
    """One surface of the proxy API.

    DRF's own dispatch is synchronous and its Response is rendered in a thread: ours awaits the
    handler, which returns what the gateway sends. Authentication and permissions are DRF's.
    """

    surface: ClassVar[Surface]
    records: ClassVar[bool] = True  # one row in the request log for each request
    authentication_classes = [ApiKeyAuthentication]
    permission_classes = [HasKey]
    permissions: ClassVar[tuple[BasePermission, ...]] = (HasKey(), CallsModels())
    request: Any

    async def dispatch(  # type: ignore[override]
        self, request: Request, *args: Any, **kwargs: Any
    ) -> Reply | Stream:
        """Answer a request, whatever happens, in the caller's protocol."""
        exchange = Exchange(
            surface=self.surface,
            source_ip=request.source_ip,
            is_platform=request.path.startswith(PLATFORM_PREFIX),
        )
        try:
            request.caller = await identify(request)
            exchange.caller = request.caller
            self.check_access(request)
            method = str(request.method).lower()
            handler = getattr(self, method, None) if method in METHODS else None
            if handler is None:
                raise RelayError(
                    code=Code.METHOD_NOT_ALLOWED,
                    message=f"This path does not take {request.method}.",
                )
            reply: Reply | Stream = await handler(exchange, request, *args, **kwargs)
        except limits.RateLimited as limited:
            reply = self._refuse(request, exchange, slow_down(limited))
        except RelayError as error:
            reply = self._refuse(request, exchange, error)
        except ClientGone:
            reply = Reply(status=CLIENT_CLOSED)
            self._record(exchange)
        except Exception:
            logger.exception("API view failed")
            reply = self._refuse(request, exchange, INTERNAL)
        reply.headers["x-generation-id"] = reply.headers["x-request-id"] = exchange.id
        if exchange.caller is not None and exchange.caller.debug is not None:
            captures.answer(exchange, exchange.caller.debug, reply)
        return reply

    def check_access(self, request: Request) -> None:
        """Run the authentication and permission classes; no I/O: the caller is known by now.

        They get our own request: DRF's wrapper around it costs more than all that they do.
        """
        for authenticator in AUTHENTICATORS:
            found = authenticator.authenticate(request)
            request.auth = found[1] if found else None
        asked: Any = request
        for permission in self.permissions:
            if not permission.has_permission(asked, self):
                message = getattr(permission, "message", None) or "This API key may not do this."
                raise RelayError(code=Code.PERMISSION_DENIED, message=message)

    def told_on(self, request: Request) -> Surface:  # noqa: ARG002 - for those with several forms
        """Return the surface in whose envelope an error is told."""
        return self.surface

    def _refuse(self, request: Request, exchange: Exchange, error: RelayError) -> Reply:
        exchange.note_error(error)
        self._record(exchange)
        return error_reply(
            error,
            surface=self.told_on(request),
            request_id=exchange.id,
            is_platform=exchange.is_platform,
        )

    def _record(self, exchange: Exchange) -> None:
        if self.records:
            exchange.record()


async def identify(request: Request) -> Caller:
    """Return the caller. Raises: RelayError (401, 403, 429, 503)."""
    now = time.time()
    ip = request.source_ip
    scope = request.scope
    text = key_text(scope["headers"], path=request.path, query=scope["query_string"])
    if not text:
        raise RelayError(
            code=Code.MISSING_KEY,
            message="No API key was sent: pass one as `Authorization: Bearer`, `x-api-key` "
            "or `x-goog-api-key`.",
        )
    try:
        caller = keys.cached(text, source_ip=ip, now=now)
        if caller is None:
            if not keys.is_known(text):
                limits.check_ip(ip, time.monotonic())
            caller = await keys.verify(text, source_ip=ip, now=now)
    except keys.KeyRefused as refused:
        limits.check_ip(ip, time.monotonic())
        limits.note_auth_failure(ip, time.monotonic())
        code, message = REFUSALS[refused.reason]
        raise RelayError(code=code, message=message) from None
    except keys.KeysUnavailable:
        raise RelayError(
            code=Code.DATABASE_UNAVAILABLE,
            message="API keys cannot be verified at the moment: try again shortly.",
            retry_after_s=2,
        ) from None
    return caller


SCOPES = {
    "auth": (Code.AUTH_FAILURES, "Too many wrong API keys came from this network address."),
    "ip": (Code.RATE_LIMITED, "Too many requests a minute came from this network address."),
    "ip_concurrency": (
        Code.CONCURRENCY,
        "Too many requests of this network address run at once.",
    ),
    "key": (Code.RATE_LIMITED, "This API key's requests a minute are used up."),
    "key_concurrency": (Code.CONCURRENCY, "Too many requests of this API key run at once."),
    "account_concurrency": (Code.CONCURRENCY, "Too many requests of this account run at once."),
}


def slow_down(limited: limits.RateLimited) -> RelayError:
    """Say which limit was reached, and when to come back."""
    code, message = SCOPES[limited.scope]
    return RelayError(
        code=code,
        message=f"{message} The limit is {limited.limit}: wait {limited.retry_after_s} s.",
        retry_after_s=limited.retry_after_s,
    )
