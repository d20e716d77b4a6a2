"""The staff site: Django's admin under our own name."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, path


class StaffSite(admin.AdminSite):
    """The admin, titled."""

    site_header = "BananaRouter staff"
    site_title = "BananaRouter staff"
    index_title = "Operations"

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
        from bananarouter.pages.legal import publishing  # noqa: PLC0415 - apps are loaded by then

        publish = self.admin_view(publishing.Publish.as_view())
        return [path("policies/", publish, name="policy_publish"), *super().get_urls()]
