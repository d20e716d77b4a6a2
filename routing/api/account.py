"""GET /api/v1/key, /credits and /generation: what a key's owner may ask of us."""

import asyncio
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import DatabaseError, close_old_connections

from routing import queries
from routing.api.base import ProxyView
from routing.errors import Code, RelayError
from routing.exchange import Exchange
from routing.gateway import Request
from routing.streaming import Reply
from routing.surfaces import Surface

# Reads for people and dashboards: two at a time, so that they never crowd the hot path.
_readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="account-api")


class _PlatformView(ProxyView):
    surface = Surface.PLATFORM
    records = False

    async def read(self, query: Callable[[], Any]) -> Any:
        """Run a query in a thread. Raises: RelayError (503) when the database is away."""

        def run() -> Any:
            close_old_connections()
            return query()

        try:
            return await asyncio.get_running_loop().run_in_executor(_readers, run)
        except DatabaseError as error:
            raise RelayError(
                code=Code.DATABASE_UNAVAILABLE,
                message="The records cannot be read at the moment: try again shortly.",
                retry_after_s=2,
            ) from error


class Key(_PlatformView):
    """The key that asks."""

    async def get(self, _: Exchange, request: Request) -> Reply:
        """Return its label, limit and usage."""
        caller = request.caller
        return _data(await self.read(lambda: queries.key(caller)))


class Credits(_PlatformView):
    """The account's credit and usage, in US dollars."""

    async def get(self, _: Exchange, request: Request) -> Reply:
        """Return the totals."""
        account_id = request.caller.account_id
        return _data(await self.read(lambda: queries.credits(account_id)))


class Generation(_PlatformView):
    """One request of the account."""

    async def get(self, _: Exchange, request: Request) -> Reply:
        """Return its record. Raises: RelayError (400, 404)."""
        request_id = _parse(request.fields.get("id", ""))
        account_id = request.caller.account_id
        found = await self.read(lambda: queries.generation(account_id, request_id))
        if found is None:
            raise RelayError(
                code=Code.NOT_FOUND,
                message="No such generation in this account: records appear within a second "
                "and are kept 30 days.",
                param="id",
            )
        return _data(found)


def _parse(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text.removeprefix("gen-"))
    except ValueError as error:
        raise RelayError(
            code=Code.INVALID_VALUE,
            message="`id` must be a generation id, as in the X-Generation-Id header.",
            param="id",
        ) from error


def _data(value: Any) -> Reply:
    return Reply.json({"data": value})
