"""GET, POST, PATCH and DELETE /api/v1/keys: for management keys."""

from collections.abc import Callable
from typing import ClassVar

from rest_framework.permissions import BasePermission

from accounts.authentication import HasKey, Manages
from accounts.keys import NoPepper
from routing import managed_keys, query_fields
from routing.api.platform import PlatformView, Result, data
from routing.errors import Code, RelayError
from routing.exchange import Exchange
from routing.gateway import Request
from routing.managed_keys import NoSuchKey, Wish
from routing.streaming import Reply


class _KeysView(PlatformView):
    permissions: ClassVar[tuple[BasePermission, ...]] = (HasKey(), Manages())

    async def manage(self, job: Callable[[], Result]) -> Result:
        """Work with keys in a thread. Raises: RelayError (404, 503)."""
        try:
            return await self.work(job)
        except NoSuchKey:
            raise RelayError(
                code=Code.NOT_FOUND,
                message="No such key in this account: GET /api/v1/keys lists those there are.",
                param="hash",
            ) from None
        except NoPepper as error:
            raise RelayError(
                code=Code.DATABASE_UNAVAILABLE,
                message="Keys cannot be made at the moment: try again later.",
            ) from error


class Keys(_KeysView):
    """The account's ordinary keys."""

    async def get(self, exchange: Exchange, request: Request) -> Reply:
        """Return a page of them. Raises: RelayError (400)."""
        query = request.fields
        query_fields.only(query, {"offset", "include_disabled"})
        offset = query_fields.integer(query, "offset", at_least=0) or 0
        has_disabled = query_fields.flag(query, "include_disabled")
        account_id, now = request.caller.account_id, exchange.created_at
        return data(
            await self.manage(
                lambda: managed_keys.listed(
                    account_id, offset=offset, has_disabled=has_disabled, now=now
                )
            )
        )

    async def post(self, exchange: Exchange, request: Request) -> Reply:
        """Make a key; its text is in this answer only. Raises: RelayError (400)."""
        caller, now = request.caller, exchange.created_at
        wish = Wish.to_create(await self.fields(request), now=now)
        told, text = await self.manage(lambda: managed_keys.create(caller, wish, now=now))
        reply = Reply.json({"data": told, "key": text})
        reply.status = 201
        return reply


class OneKey(_KeysView):
    """One of the account's ordinary keys, by its hash."""

    async def get(self, exchange: Exchange, request: Request, public_hash: str) -> Reply:
        """Return the key. Raises: RelayError (404)."""
        account_id, now = request.caller.account_id, exchange.created_at
        return data(await self.manage(lambda: managed_keys.one(account_id, public_hash, now=now)))

    async def patch(self, exchange: Exchange, request: Request, public_hash: str) -> Reply:
        """Rename, limit, disable or enable the key. Raises: RelayError (400, 404)."""
        wish = Wish.to_change(await self.fields(request))
        account_id, now = request.caller.account_id, exchange.created_at
        return data(
            await self.manage(lambda: managed_keys.change(account_id, public_hash, wish, now=now))
        )

    async def delete(self, _: Exchange, request: Request, public_hash: str) -> Reply:
        """Revoke the key for good. Raises: RelayError (404)."""
        account_id = request.caller.account_id
        await self.manage(lambda: managed_keys.delete(account_id, public_hash))
        return Reply.json({"deleted": True})
