"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.legal import views
from bananarouter.pages.legal.documents import Document

urlpatterns: list[URLPattern] = [
    path("privacy", views.Text.as_view(document=Document.PRIVACY), name="privacy"),
    path("terms", views.Text.as_view(document=Document.TERMS), name="terms"),
    path(
        "acceptable-use",
        views.Text.as_view(document=Document.ACCEPTABLE_USE),
        name="acceptable_use",
    ),
    path("subprocessors", views.Subprocessors.as_view(), name="subprocessors"),
    path(".well-known/security.txt", views.SecurityText.as_view(), name="security_txt"),
]
