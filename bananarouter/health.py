"""Is the process alive, may it take requests, and what it counts."""

import hmac
import ipaddress

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from bananarouter import observability
from billing import bank
from logs.archive import sinks, watermarks

RETRY_AFTER_S = 2


class _Drain:
    """Whether this worker ends; set once, never taken back."""

    is_draining = False


def drain() -> None:
    """Make /readyz answer 503 from now on: the worker got its SIGTERM."""
    _Drain.is_draining = True


@never_cache
@require_safe
def livez(_request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process serves at all; asks nobody else."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """Answer 200 when a paid request would be admitted, else 503 and which part refuses."""
    found = parts()
    is_ready = all(found.values())
    return JsonResponse(
        {"ready": is_ready, **found},
        status=200 if is_ready else 503,
        headers={} if is_ready else {"Retry-After": str(RETRY_AFTER_S)},
    )


def parts() -> dict[str, bool]:
    """Return what a paid request needs, and whether each part of it works now."""
    return {
        "serving": not _Drain.is_draining,
        "database": _database_answers(),
        "money": bank.is_open(),
    }


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    except DatabaseError:
        connection.close()
        return False


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the metrics to this machine, to staff and to holders of METRICS_TOKEN."""
    if not (_is_local(request) or _has_token(request) or _is_staff(request)):
        return HttpResponse("forbidden\n", status=403, content_type="text/plain")
    _measure_archive()
    return HttpResponse(observability.exposition(), content_type=observability.EXPOSITION_TYPE)


def _measure_archive() -> None:
    config = sinks.config()
    if config.is_on:
        try:
            watermarks.measure(config.name, now=timezone.now())
        except DatabaseError:  # every other metric is told all the same
            connection.close()


def _is_local(request: HttpRequest) -> bool:
    # Behind a proxy on this machine every caller's address is loopback: then it proves nothing.
    if settings.TRUSTED_PROXY_HOPS or "X-Forwarded-For" in request.headers:
        return False
    if "Forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _has_token(request: HttpRequest) -> bool:
    token = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


def _is_staff(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return bool(user and user.is_active and user.is_staff)
