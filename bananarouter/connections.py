"""PostgreSQL connections of pages, kept from one request to the next.

A new connection takes some milliseconds and knows no table yet, so that a page's queries take
three times as long on it. Django's CONN_MAX_AGE does not help: asgiref gives each request a thread
of its own, and Django each thread a connection. Threads of money are not lent any: theirs have
limits that last.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.db import connection

# A page does not wait longer for a connection; nor is a database that is away asked less often.
TIMEOUT_S = 2.0
# How often a connection was asked before it keeps a statement's plan (accounts.planned).
PREPARED_AFTER = 1

Application = Callable[[Any, Any, Any], Awaitable[None]]


async def lend(application: Application, scope: Any, receive: Any, send: Any) -> None:
    """Serve one request with a connection that may have served others before."""
    if settings.IS_SQLITE or not settings.DATABASE_POOL_MAX:
        await application(scope, receive, send)
        return
    async with ThreadSensitiveContext():
        await sync_to_async(_borrow)()
        try:
            await application(scope, receive, send)
        except BaseException:
            # Django closes at a request's end, but not at every end that is an error.
            await sync_to_async(_give_back)()
            raise


def _borrow() -> None:
    """Let this thread's connection, which is not open yet, come from the pool and go back to it."""
    connection.settings_dict = _settings()


def _give_back() -> None:
    connection.close()  # this thread's, which must look it up


@functools.cache
def _settings() -> dict[str, Any]:
    pool = {
        "min_size": 1,
        "max_size": settings.DATABASE_POOL_MAX,
        "timeout": TIMEOUT_S,
        "reconnect_timeout": TIMEOUT_S,
    }
    usual = connection.settings_dict
    options = {**usual["OPTIONS"], "pool": pool, "prepare_threshold": PREPARED_AFTER}
    return {**usual, "CONN_MAX_AGE": 0, "OPTIONS": options}
