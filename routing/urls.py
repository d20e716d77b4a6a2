"""URLs of the proxy API; everything else is in bananarouter/urls.py."""

from django.urls import URLPattern, path, re_path

from routing.api import account, chat, embeddings, gemini, messages, models, responses

urlpatterns: list[URLPattern] = [
    path("v1/chat/completions", chat.ChatCompletions.as_view()),
    path("v1/messages", messages.Messages.as_view()),
    path("v1/responses", responses.Responses.as_view()),
    path("v1/embeddings", embeddings.Embeddings.as_view()),
    path("v1/messages/count_tokens", messages.CountTokens.as_view()),
    *[
        re_path(rf"^v1(?:beta)?/models/(?P<model>.+):{operation}$", view)
        for operation, view in gemini.OPERATIONS.items()
    ],
    re_path(r"^v1(?:beta)?/models$", models.Models.as_view()),
    re_path(r"^v1(?:beta)?/models/(?P<name>.+)$", models.OneModel.as_view()),
    path("api/v1/key", account.Key.as_view()),
    path("api/v1/credits", account.Credits.as_view()),
    path("api/v1/generation", account.Generation.as_view()),
]
