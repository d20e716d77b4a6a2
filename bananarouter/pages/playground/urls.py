"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.playground import page

urlpatterns: list[URLPattern] = [
    path("playground", page.Playground.as_view(), name="playground"),
    path("playground/key", page.Key.as_view(), name="playground_key"),
]
