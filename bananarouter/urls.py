"""URLs of everything but the proxy API (routing/urls.py holds that)."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from django.views.i18n import set_language

from bananarouter import health
from bananarouter.pages import api_docs, home, overview, shell, signin, staff
from billing import hooks

# Each is a package of bananarouter.pages with its own URLs.
AREAS = (
    "billing",
    "catalogue",
    "contact",
    "guide",
    "keys",
    "legal",
    "organization",
    "playground",
    "requests",
    "settings",
    "trust",
    "usage",
    "welcome",
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.Home.as_view(), name="home"),
    path("docs/api", api_docs.Index.as_view(), name="api_docs"),
    path("docs/api/<slug:tag>", api_docs.Protocol.as_view(), name="api_protocol"),
    path("api/openapi.json", api_docs.Document.as_view(), name="openapi"),
    path("overview", overview.Overview.as_view(), name="overview"),
    *[path("", include(f"bananarouter.pages.{area}.urls")) for area in AREAS],
    path("hooks/<slug:processor>", hooks.Hook.as_view(), name="payment_hook"),
    path("switch-account", shell.SwitchAccount.as_view(), name="switch_account"),
    path("language/", set_language, name="set_language"),
    path("accounts/signup/again", signin.StartAgain.as_view(), name="signup_again"),
    path("accounts/phone/skip", signin.SkipPhone.as_view(), name="phone_skip"),
    # The security page tells what allauth's own index would.
    path("accounts/2fa/", RedirectView.as_view(pattern_name="security"), name="factors"),
    path("accounts/", include("allauth.urls")),
    path("staff/login/", staff.LogIn.as_view(), name="staff_login"),
    path("staff/", admin.site.urls),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
