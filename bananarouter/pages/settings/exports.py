"""Settings > Privacy > a copy of one's data: asked for, watched, downloaded, canceled."""

import uuid
from typing import Any

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _

from accounts import downloads, exports, personal_data
from accounts.models import Export as Row
from accounts.models import User
from bananarouter.pages.shell import Page, Private, of

FILE_NAME = "bananarouter-export.zip"


def own(user: User, export_id: uuid.UUID) -> Row:
    """Return a user's own export. Raises: Http404."""
    return get_object_or_404(Row, public_id=export_id, user=user)


def state_of(row: Row | None) -> dict[str, Any]:
    """Return what the state's template shows."""
    is_running = row is not None and row.state in exports.RUNNING
    done, total = (row.rows_done, row.rows_total) if row else (0, 0)
    is_over = bool(row and row.expires_at and row.expires_at <= timezone.now())
    return {
        "export": row,
        "is_running": is_running,
        "is_ready": bool(row and row.state == Row.State.READY and not is_over),
        "is_expired": bool(row and (row.state == Row.State.EXPIRED or is_over)),
        # The last percent is the closing of the file.
        "percent": min(99, 100 * done // total) if total else 0,
        "rows_done": done // 2,
        "rows_total": total // 2,
    }


class Export(Page):
    """The latest export and the button that starts another one."""

    template_name = "settings/export.html"
    nav = "settings"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        latest = Row.objects.filter(user=of(self.request).user).order_by("-pk").first()
        return super().get_context_data(
            tab="privacy",
            stores=[store.title for store in personal_data.stores()],
            **state_of(latest),
            **kwargs,
        )

    @method_decorator(reauthentication_required)
    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            exports.ask(
                user=of(request).user,
                session_key=request.session.session_key or "",
                now=timezone.now(),
            )
        except exports.AlreadyRunning:  # sent twice: the one that runs is shown
            pass
        except exports.TooMany:
            messages.error(request, _("You asked for many copies today. Try again tomorrow."))
        return redirect("settings_export")


class Progress(Private):
    """The part of the page that changes while an export is built."""

    def get(self, request: HttpRequest, export_id: uuid.UUID) -> HttpResponse:
        row = own(of(request).user, export_id)
        return render(request, "settings/export_state.html", state_of(row))


class Cancel(Private):
    """Stop an export that is under way."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, export_id: uuid.UUID) -> HttpResponse:
        if exports.cancel(own(of(request).user, export_id), now=timezone.now()):
            messages.success(request, _("Canceled. Nothing was kept."))
        return redirect("settings_export")


class Download(Private):
    """The file, for the session that asked for it, after a fresh log-in."""

    def get(self, request: HttpRequest, export_id: uuid.UUID) -> HttpResponseBase:
        return self._send(request, own(of(request).user, export_id))

    @method_decorator(reauthentication_required)
    def _send(self, request: HttpRequest, row: Row) -> HttpResponseBase:
        try:
            path = exports.open_file(
                row, session_key=request.session.session_key or "", now=timezone.now()
            )
            return downloads.Answer(
                path.open("rb"),
                as_attachment=True,
                filename=FILE_NAME,
                content_type="application/zip",
            )
        except (exports.Gone, FileNotFoundError):
            return self._refuse(request, "gone", status=410)
        except exports.OtherSession:
            return self._refuse(request, "session", status=403)

    def _refuse(self, request: HttpRequest, reason: str, *, status: int) -> HttpResponse:
        context = {"tab": "privacy", "nav": "settings", "reason": reason}
        return render(request, "settings/export_refused.html", context, status=status)
