"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.legal import agreeing, views
from bananarouter.pages.legal.documents import Document

DOCUMENTS = (
    ("privacy", Document.PRIVACY),
    ("terms", Document.TERMS),
    ("acceptable-use", Document.ACCEPTABLE_USE),
)

urlpatterns: list[URLPattern] = [
    *[
        path(place, views.Text.as_view(document=document), name=document.value)
        for place, document in DOCUMENTS
    ],
    *[
        path(
            f"{place}/<slug:version>",
            views.Text.as_view(document=document),
            name=f"{document.value}_version",
        )
        for place, document in DOCUMENTS
    ],
    path("agree", agreeing.Agree.as_view(), name="agree"),
    path("subprocessors", views.Subprocessors.as_view(), name="subprocessors"),
    path(".well-known/security.txt", views.SecurityText.as_view(), name="security_txt"),
]
