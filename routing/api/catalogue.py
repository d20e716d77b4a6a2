"""GET /api/v1/models and what hangs on it, /api/v1/model and /api/v1/providers."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.conf import settings

from accounts.keys import Caller
from routing import catalogue, model_list, model_sheets, planner, query_fields
from routing.api.platform import PlatformView, data
from routing.errors import Code, RelayError
from routing.exchange import Exchange
from routing.gateway import Request
from routing.model_list import Filters, Page
from routing.model_sheets import Sheet
from routing.streaming import Reply


class Models(PlatformView):
    """Every model that the account can reach."""

    async def get(self, exchange: Exchange, request: Request) -> Reply:
        """Return the list. Raises: RelayError (400)."""
        query = request.fields
        query_fields.only(query, model_list.FILTERS | model_list.PAGING)
        filters, page = Filters.read(query), Page.read(query)
        caller = replace(request.caller, allowed_models=())
        return await self.work(_lister(caller, exchange.created_at, filters, page, request))


class UserModels(PlatformView):
    """The models that this key may use."""

    async def get(self, exchange: Exchange, request: Request) -> Reply:
        """Return the list. Raises: RelayError (400)."""
        query_fields.only(request.fields, model_list.PAGING)
        page, at = Page.read(request.fields), exchange.created_at
        return await self.work(_lister(request.caller, at, Filters(), page, request))


class Count(PlatformView):
    """How many models the account can reach."""

    async def get(self, exchange: Exchange, request: Request) -> Reply:
        """Return the number. Raises: RelayError (400)."""
        query_fields.only(request.fields, {"output_modalities"})
        filters = Filters.read(request.fields)
        caller, at = replace(request.caller, allowed_models=()), exchange.created_at
        found = await self.work(
            lambda: len(model_list.chosen(model_list.reached(caller, at=at), filters))
        )
        return data({"count": found})


class OneModel(PlatformView):
    """One model, by any of its names."""

    async def get(self, exchange: Exchange, request: Request, name: str) -> Reply:
        """Return the model. Raises: RelayError (404)."""
        query_fields.only(request.fields, ())
        return data(_sheet(name, exchange, request).item())


class Endpoints(PlatformView):
    """Where one model can be had."""

    async def get(self, exchange: Exchange, request: Request, name: str) -> Reply:
        """Return the model's endpoints. Raises: RelayError (404)."""
        query_fields.only(request.fields, ())
        return data(_sheet(name, exchange, request).listing())


class Providers(PlatformView):
    """The vendors behind the models that the account can reach."""

    async def get(self, exchange: Exchange, request: Request) -> Reply:
        """Return what is known of them, by name."""
        query_fields.only(request.fields, ())
        caller, at = request.caller, exchange.created_at
        sheets = await self.work(lambda: model_list.reached(caller, at=at))
        vendors = {e.channel.vendor.slug: e.channel.vendor for s in sheets for e in s.endpoints}
        return data([model_sheets.provider(vendors[slug]) for slug in sorted(vendors)])


def _lister(
    caller: Caller, at: dt.datetime, filters: Filters, page: Page, request: Request
) -> Callable[[], Reply]:
    """Return the work of a list: thousands of models take longer than the loop may stand still."""

    def run() -> Reply:
        sheets = [s for s in model_list.reached(caller, at=at) if caller.may_use(s.model.slug)]
        found: dict[str, Any] = model_list.listing(
            model_list.chosen(sheets, filters),
            page=page,
            query=request.fields,
            path=f"{settings.PUBLIC_URL}{request.path}",
        )
        return Reply.json(found)

    return run


def _sheet(name: str, exchange: Exchange, request: Request) -> Sheet:
    model = catalogue.current().resolve(name)
    endpoints = (
        planner.on_offer(model, caller=request.caller, at=exchange.created_at) if model else ()
    )
    if model is None or not endpoints:
        raise RelayError(
            code=Code.MODEL_NOT_FOUND,
            message="No such model here: GET /api/v1/models lists those that can be reached.",
            param="model",
        )
    return model_sheets.sheet(model, endpoints, at=exchange.created_at)
