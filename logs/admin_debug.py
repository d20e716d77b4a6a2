"""Staff's view of debug mode: sessions without their content; content under a grant alone."""

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin_fixed import Fixed, Unlinked
from accounts.models import User
from logs import debug, debug_reader
from logs.models import DebugGrant, DebugSession, DebugView

if TYPE_CHECKING:  # generic for the type checker only
    Base = admin.ModelAdmin[DebugSession]
    ViewBase = admin.ModelAdmin[DebugView]
    GrantBase = admin.TabularInline[DebugGrant, DebugSession]
else:
    Base = ViewBase = admin.ModelAdmin
    GrantBase = admin.TabularInline

PERMISSION = "logs.view_debugcapture"
SHOWN_CHARS_MAX = 100_000


class Grants(Fixed, GrantBase):
    """When the owner let staff read."""

    model = DebugGrant
    fields = readonly_fields = ("given_at", "until", "revoked_at")
    ordering = ("given_at",)
    extra = 0


@admin.register(DebugSession)
class DebugSessionAdmin(Fixed, Unlinked, Base):
    """Whose key, since when, until when, how much; never what."""

    list_display = ["started_at", "api_key", "user", "until", "ended_at", "end", "kept", "missed"]
    list_filter = ["end", ("ended_at", admin.EmptyFieldListFilter)]
    list_select_related = ["api_key", "user"]
    search_fields = ["=id", "user__email"]
    search_help_text = "A session's id, or a part of the address of who switched it on"
    ordering = ["-started_at"]
    readonly_fields = (
        "id", "api_key", "user", "consent_version", "started_at", "until", "ended_at", "end",
        "kept", "kept_bytes", "missed", "content",
    )  # fmt: skip
    fields = readonly_fields
    inlines = [Grants]

    @admin.display(description="content")
    def content(self, row: DebugSession) -> SafeString | str:
        if not row.is_running(timezone.now()):
            return "destroyed"
        if debug.granted(row, now=timezone.now()) is None:
            return "the owner's alone: ask them to let staff read, on the key's page"
        return format_html(
            '<a href="{}">captured requests</a>',
            reverse("admin:logs_debugsession_content", args=[row.pk]),
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        name = "logs_debugsession_content"
        return [
            path("<uuid:pk>/content/", view(self.captures), name=name),
            path("<uuid:pk>/content/<uuid:request_id>/", view(self.read), name=f"{name}_read"),
            *super().get_urls(),
        ]

    def captures(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """List what could be read under the grant; reading is a step of its own."""
        session, grant = self._granted(request, pk, now=timezone.now())
        rows = session.captures.order_by("-request_id")
        found = rows.values("request_id", "created_at", "request_bytes", "response_bytes")
        return self._page(request, session, grant, captures=list(found))

    def read(self, request: HttpRequest, pk: uuid.UUID, request_id: uuid.UUID) -> HttpResponse:
        """Show one capture; the owner sees that, by whom and when."""
        now = timezone.now()
        session, grant = self._granted(request, pk, now=now)
        if request.method != "POST":  # a link that is followed by mistake reads nothing
            raise Http404
        try:
            found = debug_reader.read_as_staff(
                request_id, session_id=session.pk, staff=_staff(request), now=now
            )
        except debug_reader.NothingKept as error:
            raise Http404 from error
        parts = (("Request body", found.request), ("Answer", found.response))
        shown = [(name, kept.decode(errors="replace")[:SHOWN_CHARS_MAX]) for name, kept in parts]
        return self._page(request, session, grant, parts=shown, request_id=request_id)

    def _granted(
        self, request: HttpRequest, pk: uuid.UUID, *, now: dt.datetime
    ) -> tuple[DebugSession, DebugGrant]:
        """Return the session and its grant. Raises: PermissionDenied, Http404."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        session = DebugSession.objects.filter(pk=pk).first()
        if session is None or not session.is_running(now):
            raise Http404
        grant = debug.granted(session, now=now)
        if grant is None:
            raise PermissionDenied
        return session, grant

    def _page(
        self, request: HttpRequest, session: DebugSession, grant: DebugGrant, **more: Any
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Captured requests",
            "opts": self.opts,
            "session": session,
            "grant": grant,
            **more,
        }
        response = TemplateResponse(request, "admin/debug_content.html", context)
        add_never_cache_headers(response)
        return response


def _staff(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


@admin.register(DebugView)
class DebugViewAdmin(Fixed, ViewBase):
    """Who of the staff read which request, and when."""

    list_display = ["viewed_at", "staff", "request_id", "session"]
    list_select_related = ["staff", "grant"]
    ordering = ["-viewed_at"]

    @admin.display(description="session")
    def session(self, row: DebugView) -> str:
        return str(row.grant.session_id)
