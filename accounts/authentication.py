"""DRF authentication with API keys; no I/O when the key is warm."""

import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from rest_framework import exceptions, status
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts import keys

QUERY_KEY_PATH = "/v1beta/"
BEARER = "bearer "
QUERY_FIELDS_MAX = 50


class KeysAway(exceptions.APIException):
    """Keys cannot be verified now: never a 401."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "API keys cannot be verified at the moment."
    default_code = "unavailable"


def key_text(headers: Sequence[tuple[bytes, bytes]], *, path: str, query: bytes) -> str:
    """Return the API key of a request, "" if it has none.

    `headers` have lower-case names, as in an ASGI scope. The first place that holds a key
    wins: Authorization, x-api-key, x-goog-api-key, and `?key=` below /v1beta only.
    """
    bearer = anthropic = google = ""
    for name, value in headers:
        if name == b"authorization" and not bearer:
            text = value.decode("latin-1")
            if text[:7].lower() == BEARER:
                bearer = text[7:].strip()
        elif name == b"x-api-key" and not anthropic:
            anthropic = value.decode("latin-1").strip()
        elif name == b"x-goog-api-key" and not google:
            google = value.decode("latin-1").strip()
    found = bearer or anthropic or google
    if not found and query and path.startswith(QUERY_KEY_PATH):
        found = _query_key(query)
    return found


def _query_key(query: bytes) -> str:
    try:
        fields = parse_qsl(query.decode("latin-1"), max_num_fields=QUERY_FIELDS_MAX)
    except ValueError:
        return ""
    return next((value for name, value in fields if name == "key"), "")


class ApiKeyAuthentication(BaseAuthentication):
    """Finds the caller in the worker's cache.

    The gateway awaits `keys.verify` for a cold key and leaves the caller on the request
    (`request.caller`); without that this looks into the cache only. There is no user:
    `request.auth` is the Caller.
    """

    def authenticate(self, request: Any) -> tuple[None, keys.Caller] | None:
        http: Any = getattr(request, "_request", request)  # DRF's wrapper, or the gateway's own
        caller: keys.Caller | None = getattr(http, "caller", None)
        if caller is not None:
            return None, caller
        scope = http.scope
        text = key_text(scope["headers"], path=http.path, query=scope["query_string"])
        if not text:
            return None
        try:
            caller = keys.cached(text, source_ip=_source_ip(http), now=time.time())
        except keys.KeyRefused as error:
            raise exceptions.AuthenticationFailed(code=error.reason) from error
        except keys.KeysUnavailable as error:
            raise KeysAway from error
        if caller is None:
            raise KeysAway
        return None, caller

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  DRF's signature
        return "Bearer"


def _source_ip(http: Any) -> str:
    """Return the address that the gateway put on the request, else the peer's."""
    found: str = getattr(http, "source_ip", "")
    return found or http.META.get("REMOTE_ADDR", "")


class HasKey(BasePermission):
    """Allows requests with a valid API key."""

    def has_permission(self, request: Any, view: Any) -> bool:  # noqa: ARG002
        return request.auth is not None


class CallsModels(BasePermission):
    """Refuses management keys: a key that can make keys never travels with prompts."""

    message = "A management key calls no model: use an ordinary API key."

    def has_permission(self, request: Any, view: Any) -> bool:  # noqa: ARG002
        return not request.auth.is_management


class Manages(BasePermission):
    """Allows management keys only."""

    message = "Only a management key may do this: owners and admins make one under Keys."

    def has_permission(self, request: Any, view: Any) -> bool:  # noqa: ARG002
        return bool(request.auth.is_management)
