"""The inbox: what we told the user, each notice leading to where something can be done."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from accounts import inbox, notice_words
from accounts.models import Notification
from bananarouter.pages.settings.notices import TITLES
from bananarouter.pages.shell import Page, Private, of
from bananarouter.pages.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One notice in the reader's language."""

    notice: Notification
    words: notice_words.Words
    kind: Words


class Inbox(Page):
    """The notices of the user, of all their accounts, newest first."""

    template_name = "inbox/list.html"
    nav = "notifications"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shell = of(self.request)
        before = _uuid(self.request.GET.get("before", ""))
        found = inbox.find(shell.user, before=before)
        rows = [
            Row(notice=row, words=notice_words.of(row), kind=TITLES[row.kind][0])
            for row in found.rows
        ]
        return super().get_context_data(
            rows=rows, older=found.older, is_first=before is None, **kwargs
        )


class Open(Private):
    """Follow a notice to where it leads; it is read then."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, notice_id: UUID) -> HttpResponse:
        found = inbox.read(of(request).user, public_id=notice_id, now=timezone.now())
        if found is None:
            raise Http404
        is_ours = url_has_allowed_host_and_scheme(found.path, allowed_hosts=None)
        return redirect(found.path if is_ours else "notifications")


class ReadAll(Private):
    """Mark everything as read."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        inbox.read_all(of(request).user, now=timezone.now())
        messages.success(request, _("Everything is marked as read."))
        return redirect("notifications")


def _uuid(text: str) -> UUID | None:
    """Read the place of a page; nonsense is the first page."""
    try:
        return UUID(text)
    except ValueError:
        return None
