"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.settings import (
    billing_details,
    closure,
    exports,
    notices,
    privacy,
    profile,
    security,
)

urlpatterns: list[URLPattern] = [
    path("settings", profile.Profile.as_view(), name="settings"),
    path("settings/notifications", notices.Notices.as_view(), name="settings_notifications"),
    path("settings/privacy", privacy.Privacy.as_view(), name="settings_privacy"),
    path("settings/privacy/consent", privacy.ChangeConsent.as_view(), name="settings_consent"),
    path("settings/privacy/places", privacy.Places.as_view(), name="settings_places"),
    path("settings/privacy/export", exports.Export.as_view(), name="settings_export"),
    path(
        "settings/privacy/export/<uuid:export_id>/progress",
        exports.Progress.as_view(),
        name="export_progress",
    ),
    path(
        "settings/privacy/export/<uuid:export_id>/cancel",
        exports.Cancel.as_view(),
        name="export_cancel",
    ),
    path(
        "settings/privacy/export/<uuid:export_id>/download",
        exports.Download.as_view(),
        name="export_download",
    ),
    path("settings/privacy/closure", closure.Leave.as_view(), name="settings_closure"),
    path("settings/privacy/closure/keep", closure.Keep.as_view(), name="settings_keep"),
    path("closed/<str:closure_word>", closure.Closed.as_view(), name="closed"),
    path(
        "closed/<str:closure_word>/certificate.json",
        closure.Certificate.as_view(),
        name="certificate",
    ),
    path("settings/privacy/withdraw", privacy.Withdraw.as_view(), name="settings_withdraw"),
    path("settings/billing", billing_details.Details.as_view(), name="settings_billing"),
    path("settings/security", security.Security.as_view(), name="security"),
    path("settings/security/phone/forget", security.ForgetPhone.as_view(), name="phone_forget"),
]
