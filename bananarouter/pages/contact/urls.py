"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.contact import inbound, views

urlpatterns: list[URLPattern] = [
    path("contact", views.Contact.as_view(), name="contact"),
    path("contact/sent", views.Sent.as_view(), name="contact_sent"),
    path("contact/inbound", inbound.Inbound.as_view(), name="contact_inbound"),
    path("contact/confirm/<str:proof>", views.Confirm.as_view(), name="contact_confirm"),
    path("contact/<str:word>", views.Track.as_view(), name="contact_track"),
    path("contact/<str:word>/withdraw", views.Withdraw.as_view(), name="contact_withdraw"),
    path("contact/<str:word>/prove", views.Prove.as_view(), name="contact_prove"),
    path("report-abuse", views.ReportAbuse.as_view(), name="report_abuse"),
]
