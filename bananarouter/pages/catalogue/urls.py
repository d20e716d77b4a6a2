"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.catalogue import incidents, status, views

urlpatterns: list[URLPattern] = [
    path("models", views.Models.as_view(), name="models"),
    path("models/compare", views.Compare.as_view(), name="models_compare"),
    path("models/<path:model_slug>", views.Model.as_view(), name="model"),
    path("status", status.Status.as_view(), name="status"),
    path("status.atom", incidents.IncidentFeed("en", "status_feed"), name="status_feed"),
    path(
        "status.zh.atom",
        incidents.IncidentFeed("zh-hans", "status_feed_chinese"),
        name="status_feed_chinese",
    ),
    path("robots.txt", status.robots, name="robots"),
]
