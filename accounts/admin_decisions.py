"""Staff's tables whose rows nobody edits: what may be decided about a row has a page of its own.

A page shows facts and a form, and carries out one thing, once the log-in is fresh.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from accounts import step_up
from accounts.admin_fixed import Fixed
from accounts.models import User

if TYPE_CHECKING:  # generic for the type checker only
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin

Facts = Sequence[tuple[str, str]]


class Refused(Exception):
    """It cannot be done now; the text says why, for staff. `field`: which one it is about."""

    def __init__(self, text: str, *, field: str | None = None) -> None:
        super().__init__(text)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One thing that may be done with a row.

    `form` is made of what was sent, or of None. `use` does it, given the request, the row and the
    form's data; it may return a page of its own (a download). Raises: Refused.
    """

    slug: str
    name: str
    form: Callable[[QueryDict | None], forms.Form]
    use: Callable[[HttpRequest, Any, dict[str, Any]], HttpResponseBase | None]
    # Besides the right to see the row.
    permission: str = ""
    # False: the row does not lead to it any more; whoever comes late is told why it cannot be.
    is_offered: bool = True

    def is_for(self, request: HttpRequest) -> bool:
        """Tell whether a user may do it."""
        return not self.permission or request.user.has_perm(self.permission)


class Decisions(Fixed, Base):
    """A table of rows with tools."""

    change_form_template = "admin/decision_row.html"
    show_full_result_count = False
    # False: the rows say themselves who did what, and why.
    is_noted = True

    def tools(self, request: HttpRequest, row: Any) -> Sequence[Tool]:
        """Return what may be done with a row now."""
        raise NotImplementedError

    def facts(self, row: Any) -> Facts:
        """Return what one should know before using a tool."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        page = path(
            "<path:pk>/do/<slug:slug>/",
            self.admin_site.admin_view(self.use_tool),
            name=f"{self.opts.app_label}_{self.opts.model_name}_do",
        )
        return [page, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = kwargs.get("obj")
        if row is not None:
            context["tools"] = list(self._offered(request, row))
        return super().render_change_form(request, context, *args, **kwargs)

    def _offered(self, request: HttpRequest, row: Any) -> Iterator[tuple[str, str]]:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_do"
        for tool in self.tools(request, row):
            if tool.is_offered and tool.is_for(request):
                yield tool.name, reverse(name, args=[row.pk, tool.slug])

    def use_tool(self, request: HttpRequest, pk: str, slug: str) -> HttpResponseBase:
        """Show the form of a row's tool; do it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, pk)
        if row is None:
            raise Http404
        tool = next((tool for tool in self.tools(request, row) if tool.slug == slug), None)
        if tool is None:
            self.message_user(request, "That cannot be done any more.", messages.WARNING)
            return self.back(row)
        if not tool.is_for(request):
            raise PermissionDenied
        return self.page(request, tool, self.facts(row), row=row)

    def page(
        self, request: HttpRequest, tool: Tool, facts: Facts, *, row: Any = None
    ) -> HttpResponseBase:
        """Show a tool's form; do it when it was sent and is valid."""
        sent = request.POST if request.method == "POST" else None
        if not step_up.is_fresh(request):
            return step_up.ask(request, tool.form(sent))
        kept = step_up.typed(request) if sent is None else None
        form = tool.form(kept if sent is None else sent)
        if sent is not None and form.is_valid():
            try:
                done = tool.use(request, row, form.cleaned_data)
            except Refused as refusal:
                form.add_error(refusal.field, str(refusal))
            else:
                return self._end(request, tool, row, form.cleaned_data, done)
        context = {
            **self.admin_site.each_context(request),
            "title": tool.name,
            "opts": self.opts,
            "row": row,
            "form": form,
            "facts": facts,
            "is_kept": kept is not None,
        }
        return TemplateResponse(request, "admin/decision.html", context)

    def _end(
        self,
        request: HttpRequest,
        tool: Tool,
        row: Any,
        said: dict[str, Any],
        done: HttpResponseBase | None,
    ) -> HttpResponseBase:
        if row is not None and self.is_noted:
            # What was decided stands in the row; the reason stays here even if the row goes on.
            why = said.get("note") or said.get("reason") or ""
            self.log_change(request, row, f"{tool.name}: {why}")
        return done or self.back(row)

    def back(self, row: Any) -> HttpResponse:
        """Lead to a row's page."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[row.pk]))


class FreshActions(Base):
    """A table whose actions on chosen rows need a fresh log-in; the rows stay ticked meanwhile."""

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        if step_up.is_fresh(request):
            return super().response_action(request, queryset, *args, **kwargs)
        text = "Nothing was done yet. Log in once more: the rows stay ticked."
        self.message_user(request, text, messages.WARNING)
        return step_up.ask(request, names=("action", ACTION_CHECKBOX_NAME))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        if request.method == "GET" and isinstance(response, TemplateResponse):
            kept = step_up.typed(request)
            if kept is not None:
                self._tick(request, response.context_data or {}, kept)
        return response

    def _tick(self, request: HttpRequest, context: dict[str, Any], kept: QueryDict) -> None:
        """Show the rows and the action that were chosen before the log-in; tell of missing ones."""
        chosen = set(kept.getlist(ACTION_CHECKBOX_NAME))
        shown = [row for row in context["cl"].result_list if str(row.pk) in chosen]
        for row in shown:
            row.is_ticked = True
        if context["action_form"] is not None:
            context["action_form"].initial["action"] = kept.get("action", "")
        text = "Nothing was done yet: these are the rows that you had ticked. Run the action again."
        if len(shown) < len(chosen):
            text += f" Not in this list any more: {len(chosen) - len(shown)} of them."
        self.message_user(request, text, messages.WARNING)

    def action_checkbox(self, obj: Any) -> SafeString:
        if not getattr(obj, "is_ticked", False):
            return super().action_checkbox(obj)
        box = forms.CheckboxInput(
            {"class": "action-select", "aria-label": f"Select this object for an action - {obj}"},
            check_test=lambda _value: True,
        )
        return box.render(ACTION_CHECKBOX_NAME, str(obj.pk))


def staff(request: HttpRequest) -> User:
    """Return who acts. Raises: PermissionDenied."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def actor(request: HttpRequest) -> str:
    """Return how an act of this member of staff is signed."""
    return f"staff:{staff(request).pk}"
