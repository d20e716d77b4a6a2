"""What works now: this deployment's own parts, and the vendors as the last hour saw them."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.cache import add_never_cache_headers, patch_cache_control, patch_vary_headers
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.notice_words import CHINESE
from bananarouter import health
from bananarouter.pages.catalogue import incidents, offers, standing
from bananarouter.pages.catalogue.standing import Standing
from bananarouter.pages.catalogue.views import Public
from bananarouter.pages.words import Words
from routing.vendor_files import Vendor

PARTS: dict[str, Words] = {
    "serving": _("Taking requests"),
    "database": _("Database"),
    "money": _("Charging balances"),
}
# For how long a copy of the page may be shown to who is not known here.
SHARED_S = 15
# Pages that need a log-in, and those that only lead there.
ROBOTS = """\
User-agent: *
Disallow: /accounts/
Disallow: /keys
Disallow: /language/
Disallow: /metrics
Disallow: /overview
Disallow: /requests
Disallow: /staff/
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One vendor: how many models it serves here, and how."""

    vendor: Vendor
    models: int
    is_demo: bool
    standing: Standing


class Status(Public):
    """Tell it to everybody; also while the database is away, which is when people ask."""

    template_name = "catalogue/status.html"
    nav = "status"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        parts = health.parts()
        response = (
            super().dispatch(request, *args, parts=parts, **kwargs)
            if parts["database"]
            else _without_database(parts)
        )
        patch_vary_headers(response, ["Cookie", "Accept-Language"])
        # Strangers share a copy: an incident brings many of them at once.
        if response.status_code == HTTPStatus.OK and not request.COOKIES:
            patch_cache_control(response, public=True, max_age=SHARED_S)
        else:
            add_never_cache_headers(response)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        parts = kwargs.pop("parts")
        return super().get_context_data(
            **_told(parts),
            lines=_lines(),
            requests_min=standing.REQUESTS_MIN,
            accounts_min=standing.ACCOUNTS_MIN,
            **_of_incidents(),
            # A form in a copy that others get would carry one visitor's token to all of them.
            **({} if self.request.COOKIES else {"csrf_token": ""}),
            **kwargs,
        )


def _told(parts: dict[str, bool]) -> dict[str, Any]:
    return {
        "parts": [(PARTS[name], works) for name, works in parts.items()],
        "is_ready": all(parts.values()),
        "now": timezone.now(),
    }


def _without_database(parts: dict[str, bool]) -> HttpResponse:
    # Without the request: a session, a user or a message would ask the database.
    context = {**_told(parts), "layout": "outside.html", "nav": "status"}
    return HttpResponse(render_to_string(Status.template_name, context), status=503)


def _of_incidents() -> dict[str, Any]:
    found = incidents.stories(now=timezone.now())
    return {
        "running": [one for one in found if one.resolved_at is None],
        "past": [one for one in found if one.resolved_at is not None],
        "feed": "status_feed_chinese" if get_language() == CHINESE else "status_feed",
    }


def _lines() -> Sequence[Line]:
    now = timezone.now()
    shelf, served = offers.current(now=now), standing.of_vendors(now=now)
    return [
        Line(
            vendor=vendor,
            models=shelf.models_of[vendor.slug],
            is_demo=vendor.slug == standing.SIMULATED,
            standing=served.get(vendor.slug, Standing()),
        )
        for vendor in shelf.vendors
    ]


@require_safe
def robots(_request: HttpRequest) -> HttpResponse:
    """Tell crawlers what is worth reading."""
    return HttpResponse(ROBOTS, content_type="text/plain; charset=utf-8")
