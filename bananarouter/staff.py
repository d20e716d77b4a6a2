"""The staff site: Django's admin under our own name, behind a second factor, with a log."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path

from bananarouter import staff_audit, staff_factor

View = Callable[..., HttpResponseBase]


class LookUp(AutocompleteJsonView):
    """The rows that a field offers as one types; whose they were is noted."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        staff_audit.note_look_up(self.request, self.model_admin.model, context["object_list"])
        return context


class StaffSite(admin.AdminSite):
    """The admin, titled; who lacks a second factor is led to it (bananarouter.pages.staff)."""

    site_header = "BananaRouter staff"
    site_title = "BananaRouter staff"
    index_title = "Operations"

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and staff_factor.missing(request) is None

    def admin_view(self, view: View, cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002  Django's signature
        """Guard a page, and note whose rows it showed and which action it carried out."""
        guarded = super().admin_view(view, cacheable)
        page = getattr(view, "__self__", None)
        if not isinstance(page, admin.ModelAdmin):
            return guarded

        def noted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            is_action = request.method == "POST" and "action" in request.POST
            since = staff_audit.latest(request) if is_action else 0
            response: HttpResponseBase = guarded(request, *args, **kwargs)
            if not self.has_permission(request):
                return response
            if is_action:
                staff_audit.note_action(request, page, since=since)
            row = kwargs.get("object_id") or kwargs.get("pk") or ""
            staff_audit.note_read(request, page, response, row=str(row))
            return response

        return update_wrapper(noted, guarded)

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        return cast("HttpResponse", LookUp.as_view(admin_site=self)(request))

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        """Call allauth's tables of addresses what they are: our own app is named accounts, too."""
        found: list[dict[str, Any]] = super().get_app_list(request, app_label)
        for each in found:
            if each["app_label"] == "account":
                each["name"] = "Log-in"
        return found

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Add the pages that belong to no table."""
        from bananarouter.pages import blocks  # noqa: PLC0415 - apps are loaded by then
        from bananarouter.pages.legal import publishing  # noqa: PLC0415

        publish = self.admin_view(publishing.Publish.as_view())
        lift = self.admin_view(blocks.Lift.as_view())
        own = [
            path("policies/", publish, name="policy_publish"),
            path("blocks/", lift, name="lift_block"),
        ]
        return [*own, *super().get_urls()]
