"""The page of one request."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import cached_property

from accounts import roles
from bananarouter.pages import words
from bananarouter.pages.requests import captures, explained, scope, stories
from bananarouter.pages.requests.stories import Story
from bananarouter.pages.shell import Page, Private, of
from routing.exchange import generation_id


class OfRequest(Private):
    """A view of one request, for those who may see it."""

    needs = roles.may_see_requests

    @cached_property
    def story(self) -> Story:
        """The request's story. Raises: Http404, also for a request that others may see."""
        row = stories.found(self.kwargs["request_id"], account_ids=self.account_ids)
        if row is None:
            raise Http404
        key, places = stories.key_of(row), of(self.request).memberships
        made_by = key.created_by_id if key else None
        if not scope.may_see(places, account_id=row.account_id or 0, made_by=made_by):
            raise Http404
        return stories.tell(row, key=key)


class Request(OfRequest, Page):
    """Everything that is kept of one request."""

    template_name = "requests/request.html"
    nav = "requests"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        story, now = self.story, timezone.now()
        return super().get_context_data(
            story=story,
            content=captures.shown(story.row, user=of(self.request).user, now=now),
            row=story.row,
            charge=story.charge,
            steps=explained.charge(story),
            routing=explained.routing(story),
            spans=explained.time(story),
            failure=words.failure(story.row.error_code),
            limit=explained.limit(story, now=now),
            **kwargs,
        )


class Content(OfRequest):
    """A part of what debug mode kept of a request, byte for byte, as a file."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest, request_id: str, part: str) -> HttpResponse:  # noqa: ARG002
        row, user = self.story.row, of(request).user
        try:
            found = captures.whole(row, part=part, user=user, now=timezone.now())
        except captures.NothingKept as error:
            raise Http404 from error
        response = HttpResponse(found, content_type="application/octet-stream")
        name = f"{generation_id(row.request_id)}-{part}.txt"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response
