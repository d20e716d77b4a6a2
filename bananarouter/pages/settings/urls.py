"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.settings import security

urlpatterns: list[URLPattern] = [
    path("settings/security", security.Security.as_view(), name="security"),
    path("settings/security/phone/forget", security.ForgetPhone.as_view(), name="phone_forget"),
]
