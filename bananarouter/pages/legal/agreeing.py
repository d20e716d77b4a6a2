"""The page on which a user agrees to what changed."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from accounts import consents
from accounts.models import PolicyVersion
from bananarouter.pages import agreements
from bananarouter.pages.legal import documents
from bananarouter.pages.legal.titles import TITLES
from bananarouter.pages.shell import Page, of


class Agree(Page):
    """What changed, from when, and the button; or nothing to do."""

    template_name = "legal/agree.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        changes = of(self.request).policy_changes
        rows = PolicyVersion.objects.in_bulk([change.pk for change in changes])
        told = [
            (change, TITLES[change.document], documents.summary(rows[change.pk]))
            for change in changes
            if change.pk in rows
        ]
        return super().get_context_data(changes=told, next=self._next(), **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Record the user's word for the versions that the page showed, no others."""
        shown = set(request.POST.getlist("version"))
        chosen = [one.pk for one in of(request).policy_changes if str(one.pk) in shown]
        versions = PolicyVersion.objects.filter(pk__in=chosen).order_by("pk")
        consents.agree(user=of(request).user, versions=list(versions), now=timezone.now())
        agreements.forget(request)
        return HttpResponseRedirect(self._next())

    def _next(self) -> str:
        """Return where to go on: a path of this site."""
        sent = self.request.POST if self.request.method == "POST" else self.request.GET
        wanted = sent.get("next", "")
        is_ours = wanted.startswith("/") and url_has_allowed_host_and_scheme(
            wanted, allowed_hosts=None
        )
        return wanted if is_ours else reverse("overview")
