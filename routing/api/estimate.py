"""POST /api/v1/estimate: the price of a request that is not sent."""

import time
from dataclasses import replace
from typing import ClassVar

from django.conf import settings
from rest_framework.permissions import BasePermission

from accounts.authentication import CallsModels, HasKey
from routing import body, catalogue, dialects, estimate, limits, query_fields
from routing.api.platform import PlatformView, data
from routing.catalogue import Model
from routing.dialects import fields
from routing.dialects.base import Inbound, PathParts
from routing.errors import Code, RelayError
from routing.exchange import Exchange
from routing.gateway import Request
from routing.streaming import Reply
from routing.surfaces import Surface

# What is estimated, by the names that the request log has for it.
SURFACES = (
    Surface.CHAT,
    Surface.COMPLETIONS,
    Surface.RESPONSES,
    Surface.EMBEDDINGS,
    Surface.MESSAGES,
    Surface.GENERATE,
)


class Estimate(PlatformView):
    """Prices a request of any protocol, without dispatching or charging anything."""

    permissions: ClassVar[tuple[BasePermission, ...]] = (HasKey(), CallsModels())

    async def post(self, exchange: Exchange, request: Request) -> Reply:
        """Return the range of prices. Raises: RelayError, RateLimited, ClientGone."""
        query, headers = request.fields, request.lower_headers
        query_fields.only(query, {"surface", "model"})
        surface = Surface(query_fields.choice(query, "surface", SURFACES) or Surface.CHAT)
        path = PathParts(model=_path_model(surface, query.get("model", "")), is_platform=True)
        with limits.enter(request.caller, exchange.source_ip, time.monotonic()):
            raw = await body.read(
                request.receive,
                length=headers.get("content-length"),
                encoding=headers.get("content-encoding"),
                bytes_max=settings.BODY_BYTES_MAX,
            )
            dialect = dialects.for_surface(surface)
            inbound = dialect.decode(surface=surface, raw=raw, headers=headers, path=path)
            inbound = replace(inbound, is_platform=True)
            return data(
                await estimate.estimate(
                    inbound,
                    dialect.demand(inbound),
                    models=_models(inbound),
                    caller=request.caller,
                    at=exchange.created_at,
                )
            )


def _models(inbound: Inbound) -> list[Model]:
    """Return the models that may answer, the first choice first; unknown fallbacks are passed."""
    snapshot = catalogue.current()
    names = (inbound.model, *inbound.fallbacks)
    found = [model for name in names if (model := snapshot.resolve(name)) is not None]
    if not found:
        raise RelayError(
            code=Code.MODEL_NOT_FOUND,
            message="No such model: GET /api/v1/models/user lists those of this key.",
            param="model",
        )
    return list({model.slug: model for model in found}.values())


def _path_model(surface: Surface, name: str) -> str:
    """Gemini's bodies do not name the model, its path does; here the query."""
    if surface is not Surface.GENERATE:
        if name:
            query_fields.refuse("model", "belongs into the body, but for surface=generate")
        return ""
    return fields.checked_model(name)
