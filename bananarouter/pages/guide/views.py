"""The guide: chapters as pages and as Markdown, and one file of it all for language models."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.views import View
from django.views.generic import TemplateView

from accounts.models import Account
from bananarouter.pages import first_call
from bananarouter.pages.guide import chapters, drawing, places
from bananarouter.pages.shell import of, origin

LEAD = (
    "> One API key and one prepaid balance for the models of OpenAI, Anthropic, Google and others. "
    "Base URLs: {here}/v1 (OpenAI), {here} (Anthropic, Gemini), {here}/api/v1 (OpenRouter)."
)


def _language() -> str:
    return get_language() or chapters.FALLBACK


def _chapter(slug: str) -> chapters.Chapter:
    try:
        return chapters.chapter(slug, _language())
    except KeyError as error:
        raise Http404 from error


def _text(chapter: chapters.Chapter, request: HttpRequest) -> str:
    """Return a chapter for this reader: with this host, and a model that works here."""
    own = of(request).account
    # A stranger reads of what a new account can call, of the simulated vendor when that is all.
    readers = [own] if own else [Account(), Account(is_demo=True)]
    now = timezone.now()
    model = next((m for reader in readers if (m := first_call.model_for(reader, now=now))), None)
    return places.fill(chapter.text, origin=origin(request), model=model)


class Page(TemplateView):
    """A page of the guide; for members it stands in their shell."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        is_member = self.request.user.is_authenticated
        return super().get_context_data(
            layout="shell.html" if is_member else "outside.html",
            groups=chapters.shelf(_language()),
            nav="guide",
            **kwargs,
        )


class Index(Page):
    """What there is to read."""

    template_name = "guide/index.html"


class Chapter(Page):
    """One chapter."""

    template_name = "guide/chapter.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = _chapter(kwargs.pop("chapter"))
        place = chapters.SLUGS.index(found.slug)
        following = chapters.SLUGS[place + 1 : place + 2]
        return super().get_context_data(
            chapter=found,
            drawn=drawing.draw(_text(found, self.request), language=found.language),
            following=_chapter(following[0]) if following else None,
            **kwargs,
        )


class Source(View):
    """One chapter as it is written."""

    def get(self, request: HttpRequest, chapter: str) -> HttpResponse:
        return _plain(_text(_chapter(chapter), request), kind="text/markdown")


class Llms(View):
    """An index of the guide for language models (llmstxt.org, read 2026-11)."""

    def get(self, request: HttpRequest) -> HttpResponse:
        here = origin(request)
        lines = ["# BananaRouter", "", LEAD.format(here=here)]
        for title, found in chapters.shelf(chapters.FALLBACK):
            lines += ["", f"## {title}", ""]
            lines += [
                f"- [{c.title}]({here}{reverse('guide_source', args=[c.slug])}): {c.lead}"
                for c in found
            ]
        lines += ["", "## Reference", "", f"- [OpenAPI document]({here}{reverse('openapi')})"]
        return _plain("\n".join(lines) + "\n")


class LlmsFull(View):
    """All chapters in one file."""

    def get(self, request: HttpRequest) -> HttpResponse:
        found = [c for _title, group in chapters.shelf(chapters.FALLBACK) for c in group]
        return _plain("\n".join(_text(chapter, request) for chapter in found))


def _plain(text: str, *, kind: str = "text/plain") -> HttpResponse:
    return HttpResponse(text, content_type=f"{kind}; charset=utf-8")
