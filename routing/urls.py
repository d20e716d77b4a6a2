"""URLs of the proxy API; everything else is in bananarouter/urls.py."""

from django.urls import URLPattern, path, re_path

from routing.api import (
    account,
    catalogue,
    chat,
    embeddings,
    estimate,
    gemini,
    keys,
    media,
    messages,
    models,
    responses,
)
from routing.api.base import ProxyView

# The same paths stand under /v1, as their vendor speaks them, and under /api/v1 with OpenRouter's
# envelope around them.
RELAYED: dict[str, type[ProxyView]] = {
    "chat/completions": chat.ChatCompletions,
    "completions": chat.Completions,
    "messages": messages.Messages,
    "messages/count_tokens": messages.CountTokens,
    "responses": responses.Responses,
    "responses/input_tokens": responses.InputTokens,
    "responses/compact": responses.Compact,
    "embeddings": embeddings.Embeddings,
    **media.OPERATIONS,
}
urlpatterns: list[URLPattern] = [
    *[
        path(f"{prefix}/{tail}", view.as_view())
        for prefix in ("v1", "api/v1")
        for tail, view in RELAYED.items()
    ],
    *[
        re_path(rf"^v1(?:beta)?/models/(?P<model>.+):{operation}$", view)
        for operation, view in gemini.OPERATIONS.items()
    ],
    re_path(r"^v1(?:beta)?/models$", models.Models.as_view()),
    re_path(r"^v1(?:beta)?/models/(?P<name>.+)$", models.OneModel.as_view()),
    path("api/v1/key", account.Key.as_view()),
    path("api/v1/credits", account.Credits.as_view()),
    path("api/v1/generation", account.Generation.as_view()),
    path("api/v1/activity", account.Activity.as_view()),
    path("api/v1/keys", keys.Keys.as_view()),
    path("api/v1/keys/<str:public_hash>", keys.OneKey.as_view()),
    path("api/v1/estimate", estimate.Estimate.as_view()),
    path("api/v1/providers", catalogue.Providers.as_view()),
    path("api/v1/models", catalogue.Models.as_view()),
    path("api/v1/models/count", catalogue.Count.as_view()),
    path("api/v1/models/user", catalogue.UserModels.as_view()),
    re_path(r"^api/v1/models/(?P<name>.+)/endpoints$", catalogue.Endpoints.as_view()),
    re_path(r"^api/v1/models/(?P<name>.+)$", catalogue.OneModel.as_view()),
    re_path(r"^api/v1/model/(?P<name>.+)$", catalogue.OneModel.as_view()),  # OpenRouter's
]
