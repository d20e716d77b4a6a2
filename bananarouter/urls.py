"""URLs of everything but the proxy API (routing/urls.py holds that)."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from bananarouter import health
from bananarouter.pages import home, keys, overview, requests

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.Home.as_view(), name="home"),
    path("overview", overview.Overview.as_view(), name="overview"),
    path("keys", keys.Keys.as_view(), name="keys"),
    path("keys/<int:key_id>/revoke", keys.Revoke.as_view(), name="key_revoke"),
    path("requests", requests.Requests.as_view(), name="requests"),
    path("accounts/", include("allauth.urls")),
    path("staff/", admin.site.urls),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
