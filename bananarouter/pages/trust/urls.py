"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.trust import leaked_keys

urlpatterns: list[URLPattern] = [
    path("leaked-keys", leaked_keys.LeakedKeys.as_view(), name="leaked_keys"),
]
