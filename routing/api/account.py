"""GET /api/v1/key, /credits, /generation and /activity: what a key's owner may ask of us."""

import uuid

from routing import activity, managed_keys, queries, query_fields
from routing.api.platform import PlatformView, data
from routing.errors import Code, RelayError
from routing.exchange import Exchange
from routing.gateway import Request
from routing.managed_keys import NoSuchKey
from routing.streaming import Reply


class Key(PlatformView):
    """The key that asks."""

    async def get(self, exchange: Exchange, request: Request) -> Reply:
        """Return its label, limit and usage."""
        caller, now = request.caller, exchange.created_at
        return data(await self.work(lambda: queries.key(caller, now=now)))


class Credits(PlatformView):
    """The account's credit and usage, in US dollars."""

    async def get(self, _: Exchange, request: Request) -> Reply:
        """Return the totals."""
        account_id = request.caller.account_id
        return data(await self.work(lambda: queries.credits(account_id)))


class Generation(PlatformView):
    """One request of the account."""

    async def get(self, _: Exchange, request: Request) -> Reply:
        """Return its record. Raises: RelayError (400, 404)."""
        request_id = _parse(request.fields.get("id", ""))
        account_id = request.caller.account_id
        found = await self.work(lambda: queries.generation(account_id, request_id))
        if found is None:
            raise RelayError(
                code=Code.NOT_FOUND,
                message="No such generation in this account: records appear within a second "
                "and are kept 30 days.",
                param="id",
            )
        return data(found)


class Activity(PlatformView):
    """What the account was billed, by day, model and endpoint."""

    async def get(self, exchange: Exchange, request: Request) -> Reply:
        """Return the rows of one day or of all that are kept. Raises: RelayError (400, 404)."""
        query = request.fields
        query_fields.only(query, {"date", "api_key_hash"})
        days = activity.window(exchange.created_at.date())
        day = query_fields.date(query, "date")
        if day is not None and day not in days:
            query_fields.refuse("date", f"must be a day from {days[0]} to {days[-1]} (UTC)")
        account_id, wanted = request.caller.account_id, [day] if day else days
        public_hash = query.get("api_key_hash", "")

        def rows() -> object:
            key_id = managed_keys.find(account_id, public_hash).pk if public_hash else None
            return activity.rows(account_id, days=wanted, key_id=key_id)

        try:
            return data(await self.work(rows))
        except NoSuchKey:
            raise RelayError(
                code=Code.NOT_FOUND, message="No such key in this account.", param="api_key_hash"
            ) from None


def _parse(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text.removeprefix("gen-"))
    except ValueError as error:
        raise RelayError(
            code=Code.INVALID_VALUE,
            message="`id` must be a generation id, as in the X-Generation-Id header.",
            param="id",
        ) from error
