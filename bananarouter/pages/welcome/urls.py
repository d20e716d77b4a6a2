"""URLs of the page that leads from sign-up to the first call."""

from django.urls import URLPattern, path

from bananarouter.pages.welcome import views

urlpatterns: list[URLPattern] = [
    path("welcome", views.Welcome.as_view(), name="welcome"),
    path("welcome/first", views.First.as_view(), name="welcome_first"),
    path("welcome/trial", views.Trial.as_view(), name="welcome_trial"),
]
