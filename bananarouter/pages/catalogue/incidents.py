"""Incidents in words: on the status page, and as a feed that a program reads."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.contrib.syndication.views import Feed
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import patch_cache_control
from django.utils.feedgenerator import Atom1Feed
from django.utils.translation import gettext_lazy as _

from accounts.notice_words import CHINESE
from bananarouter.pages.words import Words
from routing import incidents
from routing.models import Incident

FEED_S: Final = 300
_PUBLISHED: Final = _("We are looking into it.")
_RESOLVED: Final = _("It is over: requests to these models work again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What was said of an incident at a time."""

    at: dt.datetime
    text: Words
    is_end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """An incident from its end to its beginning, in the language that is active."""

    number: int
    title: str
    models: Sequence[str]
    began_at: dt.datetime
    resolved_at: dt.datetime | None
    lines: Sequence[Line]

    @property
    def anchor(self) -> str:
        """Where it stands on the status page."""
        return f"incident-{self.number}"


def stories(*, now: dt.datetime) -> list[Story]:
    """Return what runs and what was in the last 90 days, newest first; two queries."""
    is_chinese = (translation.get_language() or "").lower() == CHINESE
    return [_story(one, is_chinese=is_chinese) for one in incidents.lately(now=now)]


def _story(incident: Incident, *, is_chinese: bool) -> Story:
    said = [
        Line(at=one.written_at, text=one.text_zh if is_chinese else one.text_en)
        for one in incident.updates.all()
    ]
    if incident.published_at is not None:
        said.append(Line(at=incident.published_at, text=_PUBLISHED))
    if incident.resolved_at is not None:
        said.append(Line(at=incident.resolved_at, text=_RESOLVED, is_end=True))
    return Story(
        number=incident.pk,
        title=incident.title_zh if is_chinese else incident.title_en,
        models=incident.slugs,
        began_at=incident.began_at,
        resolved_at=incident.resolved_at,
        # What is added after the end, as the cause of it, stands above it.
        lines=sorted(said, key=lambda line: line.at, reverse=True),
    )


class IncidentFeed(Feed):  # type: ignore[type-arg]  # generic for the type checker only
    """The same as Atom, in one language: a program that reads feeds asks for none."""

    feed_type = Atom1Feed
    language = ""

    def __init__(self, language: str, name: str) -> None:
        self.language, self._name = language, name

    def __call__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with translation.override(self.language):
            response = super().__call__(request, *args, **kwargs)
        response["Content-Language"] = self.language
        patch_cache_control(response, public=True, max_age=FEED_S)
        return response

    def title(self) -> str:
        return f"{settings.OPERATOR_NAME}: {translation.gettext('Status')}"

    def link(self) -> str:
        return settings.PUBLIC_URL + reverse("status")

    def feed_url(self) -> str:
        return settings.PUBLIC_URL + reverse(self._name)

    def items(self) -> list[Story]:
        return stories(now=timezone.now())

    def item_title(self, item: Story) -> str:
        return item.title

    def item_description(self, item: Story) -> str:
        return render_to_string("catalogue/incident_lines.html", {"story": item})

    def item_link(self, item: Story) -> str:
        return f"{self.link()}#{item.anchor}"

    def item_guid(self, item: Story) -> str:
        # The same however the address of this site is written, and in either language.
        return f"urn:bananarouter:{settings.PUBLIC_URL}:{item.anchor}"

    def item_pubdate(self, item: Story) -> dt.datetime:
        return item.lines[-1].at

    def item_updateddate(self, item: Story) -> dt.datetime:
        return item.lines[0].at
