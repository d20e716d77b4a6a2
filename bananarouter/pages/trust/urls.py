"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.trust import leaked_keys, views

urlpatterns: list[URLPattern] = [
    path("trust", views.Trust.as_view(), name="trust"),
    path("leaked-keys", leaked_keys.LeakedKeys.as_view(), name="leaked_keys"),
]
