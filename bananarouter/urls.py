"""URLs of everything but the proxy API (routing/urls.py holds that)."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.i18n import set_language

from bananarouter import health
from bananarouter.pages import api_docs, home, overview, requests, shell, staff

# Each is a package of bananarouter.pages with its own URLs.
AREAS = (
    "catalogue",
    "contact",
    "guide",
    "keys",
    "legal",
    "organization",
    "playground",
    "settings",
    "usage",
    "welcome",
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.Home.as_view(), name="home"),
    path("docs/api", api_docs.Index.as_view(), name="api_docs"),
    path("docs/api/<slug:tag>", api_docs.Protocol.as_view(), name="api_protocol"),
    path("api/openapi.json", api_docs.Document.as_view(), name="openapi"),
    path("overview", overview.Overview.as_view(), name="overview"),
    path("requests", requests.Requests.as_view(), name="requests"),
    path("requests.csv", requests.Download.as_view(), name="requests_csv"),
    path("requests/<uuid:request_id>", requests.Request.as_view(), name="request"),
    *[path("", include(f"bananarouter.pages.{area}.urls")) for area in AREAS],
    path("switch-account", shell.SwitchAccount.as_view(), name="switch_account"),
    path("language/", set_language, name="set_language"),
    path("accounts/", include("allauth.urls")),
    path("staff/login/", staff.LogIn.as_view(), name="staff_login"),
    path("staff/", admin.site.urls),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
