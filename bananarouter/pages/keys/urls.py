"""URLs of the pages of keys."""

from django.urls import URLPattern, path

from bananarouter.pages.keys import debugging, views

urlpatterns: list[URLPattern] = [
    path("keys", views.Keys.as_view(), name="keys"),
    path("keys/new", views.New.as_view(), name="key_new"),
    path("keys/new-management", views.NewManagement.as_view(), name="key_new_management"),
    path("keys/<int:key_id>", views.Details.as_view(), name="key"),
    path("keys/<int:key_id>/edit", views.Edit.as_view(), name="key_edit"),
    path("keys/<int:key_id>/rotate", views.Rotate.as_view(), name="key_rotate"),
    path("keys/<int:key_id>/pause", views.Pause.as_view(), name="key_pause"),
    path("keys/<int:key_id>/delete", views.Delete.as_view(), name="key_delete"),
    path("keys/<int:key_id>/debug", debugging.Debug.as_view(), name="key_debug"),
    path("keys/<int:key_id>/debug/stop", debugging.Stop.as_view(), name="key_debug_stop"),
    path("keys/<int:key_id>/debug/staff", debugging.LetStaff.as_view(), name="key_debug_staff"),
]
