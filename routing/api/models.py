"""GET /v1/models and /v1beta/models, in the shape of the protocol that asks."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import orjson
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from routing import catalogue, planner
from routing.api.base import ProxyView
from routing.catalogue import Model
from routing.errors import Code, RelayError
from routing.exchange import Exchange
from routing.gateway import Request
from routing.surfaces import Family, Surface

PAGE_MAX = 1_000
GEMINI_PAGE = 50
Shape = Callable[[Model], dict[str, Any]]


class _ModelsView(ProxyView):
    surface = Surface.MODELS
    records = False

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
    """The list, as OpenAI's or, with `anthropic-version`, as Anthropic's."""

    async def get(self, exchange: Exchange, request: Request) -> HttpResponseBase:
        """Return the list."""
        models = self.visible(exchange)
        if "anthropic-version" not in request.headers:
            return _json({"object": "list", "data": [_openai(m) for m in models]})
        page, has_more = _anthropic_page(models, request)
        return _json(
            {
                "data": [_anthropic(m) for m in page],
                "has_more": has_more,
                "first_id": page[0].slug if page else None,
                "last_id": page[-1].slug if page else None,
            }
        )


class OneModel(_ModelsView):
    """One model, as OpenAI's or Anthropic's."""

    async def get(self, exchange: Exchange, request: Request, name: str) -> HttpResponseBase:
        """Return the model."""
        shape = _anthropic if "anthropic-version" in request.headers else _openai
        return _json(shape(self.one(exchange, name)))


class GeminiModels(_ModelsView):
    """The list as Gemini's, in pages."""

    surface = Surface.GENERATE

    async def get(self, exchange: Exchange, request: Request) -> HttpResponseBase:
        """Return one page: `pageSize`, `pageToken` (the name to go on after)."""
        size = _size(request.fields.get("pageSize", ""), GEMINI_PAGE)
        after = request.fields.get("pageToken", "")
        rest = [m for m in self.visible(exchange) if m.slug > after]
        found: dict[str, Any] = {"models": [_gemini(m) for m in rest[:size]]}
        if len(rest) > size:
            found["nextPageToken"] = rest[size - 1].slug
        return _json(found)


class OneGeminiModel(_ModelsView):
    """One model as Gemini's."""

    surface = Surface.GENERATE

    async def get(self, exchange: Exchange, _: Request, name: str) -> HttpResponseBase:
        """Return the model."""
        return _json(_gemini(self.one(exchange, name)))


def _anthropic_page(models: list[Model], request: Request) -> tuple[list[Model], bool]:
    size = _size(request.fields.get("limit", ""), 20)
    after, before = request.fields.get("after_id", ""), request.fields.get("before_id", "")
    if before:
        rest = [m for m in models if m.slug < before]
        return rest[-size:], len(rest) > size
    rest = [m for m in models if m.slug > after]
    return rest[:size], len(rest) > size


def _size(text: str, default: int) -> int:
    return min(max(int(text), 1), PAGE_MAX) if text.isascii() and text.isdigit() else default


def _openai(model: Model) -> dict[str, Any]:
    return {
        "id": model.slug,
        "object": "model",
        "created": model.created,
        "owned_by": model.author,
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
    native = any(e.channel.family is Family.GEMINI for e in model.endpoints)
    methods = ["generateContent", "streamGenerateContent", "countTokens"] if native else []
    found: dict[str, Any] = {
        "name": f"models/{model.slug}",
        "baseModelId": model.slug,
        "version": "",
        "displayName": model.name,
        "supportedGenerationMethods": methods,
    }
    if model.context_tokens_max is not None:
        found["inputTokenLimit"] = model.context_tokens_max
    if model.output_tokens_max is not None:
        found["outputTokenLimit"] = model.output_tokens_max
    return found


def _json(value: Any) -> HttpResponse:
    return HttpResponse(orjson.dumps(value), content_type="application/json")
