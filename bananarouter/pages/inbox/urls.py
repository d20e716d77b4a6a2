"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.inbox import views

urlpatterns: list[URLPattern] = [
    path("notifications", views.Inbox.as_view(), name="notifications"),
    path("notifications/read", views.ReadAll.as_view(), name="notifications_read"),
    path("notifications/<uuid:notice_id>", views.Open.as_view(), name="notification"),
]
