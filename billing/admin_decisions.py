"""A page on which staff decide about one row of a table: facts, a form, one act."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from billing.admin_tables import ReadOnly

PAGE = "admin/payment_decision.html"


def actor(request: HttpRequest) -> str:
    """Return how an act of this member of staff is signed."""
    return f"staff:{request.user.pk}"


class Decisions(ReadOnly):
    """A table whose rows staff decide about on a page of their own."""

    change_form_template = "admin/payment_row.html"
    tool, tool_name, permission = "", "", ""

    def get_urls(self) -> list[URLPattern]:
        name = f"billing_{self.opts.model_name}_{self.tool}"
        page = path(f"<path:pk>/{self.tool}/", self.admin_site.admin_view(self.decide), name=name)
        return [page, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = kwargs.get("obj")
        if row is not None and self.is_waiting(row) and request.user.has_perm(self.permission):
            context["tool_name"] = self.tool_name
            context["tool_url"] = reverse(
                f"admin:billing_{self.opts.model_name}_{self.tool}", args=[row.pk]
            )
        return super().render_change_form(request, context, *args, **kwargs)

    def decide(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Show the form of a decision; carry it out."""
        if not request.user.has_perm(self.permission):
            raise PermissionDenied
        row = self.get_object(request, pk)
        if row is None:
            raise Http404
        form = self.form_for(request, row)
        if form.is_valid() and self.carry_out(request, row, form):
            # What was decided stands in the row; the reason stays here even if the row goes on.
            why = form.cleaned_data.get("note") or form.cleaned_data.get("reason") or ""
            self.log_change(request, row, f"{self.tool_name}: {why}")
            return HttpResponseRedirect(
                reverse(f"admin:billing_{self.opts.model_name}_change", args=[row.pk])
            )
        context = {
            **self.admin_site.each_context(request),
            "title": self.tool_name,
            "opts": self.opts,
            "row": row,
            "form": form,
            "facts": self.facts(row),
        }
        return TemplateResponse(request, PAGE, context)

    def is_waiting(self, row: Any) -> bool:
        """Tell whether there is something to decide."""
        raise NotImplementedError

    def form_for(self, request: HttpRequest, row: Any) -> forms.Form:
        """Return the form, filled in when it was sent."""
        raise NotImplementedError

    def carry_out(self, request: HttpRequest, row: Any, form: forms.Form) -> bool:
        """Do it; False: the form says why not."""
        raise NotImplementedError

    def facts(self, row: Any) -> list[tuple[str, str]]:
        """Return what one should know before deciding."""
        raise NotImplementedError
