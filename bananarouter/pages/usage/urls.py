"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.usage import views

urlpatterns: list[URLPattern] = [
    path("usage", views.Usage.as_view(), name="usage"),
    path("usage/latency", views.Latency.as_view(), name="usage_latency"),
    path("usage.csv", views.Download.as_view(), name="usage_csv"),
]
