"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.guide import views

urlpatterns: list[URLPattern] = [
    path("docs", views.Index.as_view(), name="guide"),
    path("docs/<slug:chapter>", views.Chapter.as_view(), name="guide_chapter"),
    path("docs/<slug:chapter>.md", views.Source.as_view(), name="guide_source"),
    path("llms.txt", views.Llms.as_view(), name="llms_txt"),
    path("llms-full.txt", views.LlmsFull.as_view(), name="llms_full_txt"),
]
