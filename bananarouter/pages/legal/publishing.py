"""Staff publish a version here, after they have seen what users are told, and how many they are."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone, translation
from django.views import View

from accounts import announcements, notice_words, policies
from accounts.models import Notification, PolicyVersion
from bananarouter.pages.legal import documents
from bananarouter.pages.legal.documents import Version

LANGUAGES = ("en", "zh-hans")
NEEDS = "accounts.add_policyversion"


class Publish(View):
    """The versions of this program that are not published yet, one by one."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not request.user.is_authenticated or not request.user.has_perm(NEEDS):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        context = {
            **admin.site.each_context(request),
            "title": "Publish legal documents",
            "versions": [_previewed(*one) for one in documents.waiting()],
            "readers": announcements.readers(),
            "notice_days": policies.notice().days,
            "under_way": PolicyVersion.objects.filter(announced_at=None).order_by("pk"),
        }
        return TemplateResponse(request, "admin/policy_publish.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Publish the version that was named; sent twice, it is published once."""
        document, number = request.POST.get("document", ""), request.POST.get("version", "")
        known = document in documents.VERSIONS and documents.version_of(document, number)
        if not known:
            raise Http404
        row = documents.publish(document, known, now=timezone.now())
        admin.ModelAdmin(PolicyVersion, admin.site).log_addition(request, row, "Published.")
        day = f"{row.effective_at:%Y-%m-%d}"
        messages.success(request, f"{document} {number} is published; it holds from {day}.")
        return HttpResponseRedirect(reverse("admin:policy_publish"))


def _previewed(document: str, version: Version) -> dict[str, Any]:
    """Return a version and the mail about it in every language."""
    now = timezone.now()
    effective_at = version.effective_at
    if version.is_material:
        effective_at = max(effective_at, now + policies.notice())
    with translation.override("en"):
        summary = str(version.summary)
    row = PolicyVersion(
        document=document,
        version=version.number,
        summary=summary,
        is_material=version.is_material,
        effective_at=effective_at,
    )
    notice = announcements.notice_of(row)
    told = Notification(name=notice.name, facts=dict(notice.facts), path=notice.path)
    return {
        "document": document,
        "version": version,
        "row": row,
        "mails": list(map(told_in(told), LANGUAGES)),
    }


def told_in(told: Notification) -> Any:
    """Return how to write a notice in a language."""

    def write(language: str) -> notice_words.Words:
        with translation.override(language):
            return notice_words.of(told)

    return write
