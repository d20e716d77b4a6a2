"""Staff's tables whose rows nobody edits: what may be done with a row has a page of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from accounts.admin_fixed import Fixed
from accounts.models import User

if TYPE_CHECKING:  # generic for the type checker only
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin


class Refused(Exception):
    """It cannot be done now; the text says why, for staff."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One thing that may be done with a row.

    `use` does it, given the request, the row and the form's data; it may return a page of its own
    (a download). Raises: Refused.
    """

    slug: str
    name: str
    form: type[forms.Form]
    use: Callable[[HttpRequest, Any, dict[str, Any]], HttpResponseBase | None]


class Tools(Fixed, Base):
    """A table of rows with tools."""

    change_form_template = "admin/tools_row.html"

    def tools(self, request: HttpRequest, row: Any) -> Sequence[Tool]:
        """Return what this user may do with a row now."""
        raise NotImplementedError

    def facts(self, row: Any) -> list[tuple[str, str]]:
        """Return what one should know before using a tool."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        page = path(
            "<int:pk>/do/<slug:slug>/",
            self.admin_site.admin_view(self.use_tool),
            name=f"{self.opts.app_label}_{self.opts.model_name}_do",
        )
        return [page, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = kwargs.get("obj")
        if row is not None:
            name = f"admin:{self.opts.app_label}_{self.opts.model_name}_do"
            context["tools"] = [
                (tool.name, reverse(name, args=[row.pk, tool.slug]))
                for tool in self.tools(request, row)
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    def use_tool(self, request: HttpRequest, pk: int, slug: str) -> HttpResponseBase:
        """Show the form of a tool; do it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        tool = next((tool for tool in self.tools(request, row) if tool.slug == slug), None)
        if tool is None:
            self.message_user(request, "That cannot be done any more.", messages.WARNING)
            return self._back(row)
        form = tool.form(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                page = tool.use(request, row, form.cleaned_data)
            except Refused as refusal:
                form.add_error(None, str(refusal))
            else:
                return page or self._back(row)
        context = {
            **self.admin_site.each_context(request),
            "title": tool.name,
            "opts": self.opts,
            "row": row,
            "form": form,
            "facts": self.facts(row),
        }
        return TemplateResponse(request, "admin/payment_decision.html", context)

    def _back(self, row: Any) -> HttpResponse:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[row.pk]))


def staff(request: HttpRequest) -> User:
    """Return who acts. Raises: PermissionDenied."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
