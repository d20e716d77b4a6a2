"""GET /v1/models and /v1beta/models, in the shape of the protocol that asks."""

import datetime as dt
from typing import Any

from routing import catalogue, planner
from routing.api.base import ProxyView
from routing.catalogue import Model
from routing.errors import Code, RelayError
from routing.exchange import Exchange
from routing.gateway import Request
from routing.streaming import Reply
from routing.surfaces import Surface

PAGE_MAX = 1_000
GEMINI_PAGE = 50
ANTHROPIC_PAGE = 20


class _ModelsView(ProxyView):
    surface = Surface.MODELS
    records = False

    def told_on(self, request: Request) -> Surface:
        """Return the surface of the protocol that asks."""
        if _is_gemini(request):
            return Surface.GENERATE
        return Surface.MESSAGES if _is_anthropic(request) else self.surface

    def visible(self, exchange: Exchange) -> list[Model]:
        """Return the models that this key may use, by name."""
        caller = exchange.caller
        if caller is None:
            return []
        models = catalogue.current().models.values()
        return sorted(
            (m for m in models if planner.is_visible(m, caller=caller)), key=lambda m: m.slug
        )

    def one(self, exchange: Exchange, name: str) -> Model:
        """Return a model by any of its names. Raises: RelayError (404)."""
        model = catalogue.current().resolve(name)
        caller = exchange.caller
        if model is None or caller is None or not planner.is_visible(model, caller=caller):
            raise RelayError(
                code=Code.MODEL_NOT_FOUND,
                message="No such model, or this key may not use it: GET /v1/models lists yours.",
                param="model",
            )
        return model


class Models(_ModelsView):
    """The list, in the shape of whoever asks: OpenAI's unless its headers say otherwise."""

    async def get(self, exchange: Exchange, request: Request) -> Reply:
        """Return the list."""
        models = self.visible(exchange)
        if _is_gemini(request):
            return Reply.json(_gemini_page(models, request))
        if _is_anthropic(request):
            return Reply.json(_anthropic_page(models, request))
        return Reply.json({"object": "list", "data": [_openai(m) for m in models]})


class OneModel(_ModelsView):
    """One model, in the shape of whoever asks."""

    async def get(self, exchange: Exchange, request: Request, name: str) -> Reply:
        """Return the model."""
        model = self.one(exchange, name)
        if _is_gemini(request):
            return Reply.json(_gemini(model))
        return Reply.json(_anthropic(model) if _is_anthropic(request) else _openai(model))


def _is_anthropic(request: Request) -> bool:
    return "anthropic-version" in request.lower_headers


def _is_gemini(request: Request) -> bool:
    # google-genai 3 asks /v1, not /v1beta: its header tells (2026-11).
    return request.path.startswith("/v1beta/") or "x-goog-api-key" in request.lower_headers


def _gemini_page(models: list[Model], request: Request) -> dict[str, Any]:
    """Return one page: `pageSize`, `pageToken` (the name to go on after)."""
    size = _size(request.fields.get("pageSize", ""), GEMINI_PAGE)
    after = request.fields.get("pageToken", "")
    rest = [m for m in models if m.slug > after]
    found: dict[str, Any] = {"models": [_gemini(m) for m in rest[:size]]}
    if len(rest) > size:
        found["nextPageToken"] = rest[size - 1].slug
    return found


def _anthropic_page(models: list[Model], request: Request) -> dict[str, Any]:
    """Return one page: `limit`, `after_id`, `before_id`."""
    size = _size(request.fields.get("limit", ""), ANTHROPIC_PAGE)
    after, before = request.fields.get("after_id", ""), request.fields.get("before_id", "")
    rest = [m for m in models if m.slug > after and (not before or m.slug < before)]
    page = rest[-size:] if before else rest[:size]
    return {
        "data": [_anthropic(m) for m in page],
        "has_more": len(rest) > size,
        "first_id": page[0].slug if page else None,
        "last_id": page[-1].slug if page else None,
    }


def _size(text: str, default: int) -> int:
    return min(max(int(text), 1), PAGE_MAX) if text.isascii() and text.isdigit() else default


def _openai(model: Model) -> dict[str, Any]:
    return {
        "id": model.slug,
        "object": "model",
        "created": model.created,
        "owned_by": model.author,
        "shutdown_date": model.shutdown_date,
    }


def _anthropic(model: Model) -> dict[str, Any]:
    created = dt.datetime.fromtimestamp(model.created, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": "model",
        "id": model.slug,
        "display_name": model.name,
        "created_at": created,
        "max_input_tokens": model.context_tokens_max,
        "max_tokens": model.output_tokens_max,
    }


def _gemini(model: Model) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": f"models/{model.slug}",
        "baseModelId": model.slug,
        "version": "",
        "displayName": model.name,
        # By translation every model speaks them.
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
    }
    if model.context_tokens_max is not None:
        found["inputTokenLimit"] = model.context_tokens_max
    if model.output_tokens_max is not None:
        found["outputTokenLimit"] = model.output_tokens_max
    return found
