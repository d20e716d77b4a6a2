"""The legal documents, the list of sub-processors, and the address for security reports."""

import datetime as dt
import re
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.views import View
from django.views.generic import TemplateView

from accounts import policies
from accounts.models import PolicyVersion
from bananarouter.pages.legal import documents, processors
from bananarouter.pages.legal.titles import TITLES

_HEADING = re.compile(r"<h2([^>]*)>(.*?)</h2>", re.DOTALL)
_SECTION = re.compile(r'<section class="clause" id="([^"]+)">\s*<h2>|<h2 id="([^"]+)">')
SECURITY_TXT_DAYS = 180


class Text(TemplateView):
    """One version of a legal document in the reader's language: the one in force, or another."""

    template_name = "legal/document.html"
    document = ""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = timezone.now()
        history = policies.history(self.document)
        held = next((row for row in history if policies.holds(row, now)), None)
        shown = self._shown(kwargs.pop("version", None), held)
        name = documents.template(self.document, shown.number, get_language() or "en")
        text = render_to_string(
            name,
            {
                "retention_days": settings.LOG_RETENTION_DAYS,
                "session_days": settings.SESSION_COOKIE_AGE // 86_400,
                "is_https": settings.HTTPS,
                "operator": operator(),
            },
            request=self.request,
        )
        row = next((row for row in history if row.version == shown.number), None)
        return super().get_context_data(
            title=TITLES[self.document],
            text=mark_safe(text),  # noqa: S308  our own template, rendered with escaping
            contents=contents(text),
            version=shown,
            row=row,
            is_held=row is None or row == held,
            is_coming=row is not None and not policies.holds(row, now),
            coming=[row for row in history if not policies.holds(row, now)],
            current_url=reverse(self.document),
            history=[
                (row, documents.summary(row), reverse(f"{self.document}_version", args=[number]))
                for row in history
                if documents.version_of(self.document, number := row.version)
            ],
            **kwargs,
        )

    def _shown(self, number: str | None, held: PolicyVersion | None) -> documents.Version:
        """Return the version asked for, else the one in force, else this program's latest."""
        if number is not None:
            found = documents.version_of(self.document, number)
            if found is None:
                raise Http404
            return found
        found = documents.version_of(self.document, held.version) if held else None
        return found or documents.VERSIONS[self.document][0]


def contents(text: str) -> list[tuple[str, str]]:
    """Return the anchors and headings of a text's sections."""
    anchors = [one or other for one, other in _SECTION.findall(text)]
    headings = [heading for _, heading in _HEADING.findall(text)]
    return list(zip(anchors, headings, strict=True))


def operator() -> dict[str, str]:
    """Return who runs this installation, as the settings say."""
    return {
        "name": settings.OPERATOR_NAME,
        "address": settings.OPERATOR_ADDRESS,
        "email": settings.CONTACT_EMAIL,
    }


class Subprocessors(TemplateView):
    """Who works with data for us, generated from what is configured."""

    template_name = "legal/subprocessors.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            vendors=processors.vendors(),
            providers=processors.providers(),
            has_host=bool(settings.HOSTING_PROVIDER),
            takes_payments=bool(processors.payment_processors()),
            operator=operator(),
            **kwargs,
        )


class SecurityText(View):
    """`/.well-known/security.txt` (RFC 9116)."""

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002
        # Whole days: the text stays the same over a day, as caches like it.
        midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
        expires = midnight + dt.timedelta(days=SECURITY_TXT_DAYS)
        lines = [
            f"Contact: {settings.PUBLIC_URL}{reverse('contact')}?kind=security",
            f"Contact: mailto:{settings.CONTACT_EMAIL}",
            f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
            "Preferred-Languages: en, zh",
            f"Canonical: {settings.PUBLIC_URL}{reverse('security_txt')}",
            f"Policy: {settings.PUBLIC_URL}{reverse('acceptable_use')}",
        ]
        return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
