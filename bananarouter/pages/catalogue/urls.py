"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.catalogue import status, views

urlpatterns: list[URLPattern] = [
    path("models", views.Models.as_view(), name="models"),
    path("models/compare", views.Compare.as_view(), name="models_compare"),
    path("models/<path:model_slug>", views.Model.as_view(), name="model"),
    path("status", status.Status.as_view(), name="status"),
    path("robots.txt", status.robots, name="robots"),
]
