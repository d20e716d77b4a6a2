"""What all views of /api/v1 share that call no model: our own envelope, work in threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, TypeVar

from django.db import DatabaseError, close_old_connections
from rest_framework.permissions import BasePermission

from accounts.authentication import HasKey
from routing import body, jsonedit
from routing.api.base import ProxyView
from routing.errors import Code, RelayError
from routing.gateway import Request
from routing.streaming import Reply
from routing.surfaces import Surface

BODY_BYTES_MAX = 64 << 10
Result = TypeVar("Result")
# Work for people and dashboards: two at a time, so that it never crowds the hot path.
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="platform-api")


class PlatformView(ProxyView):
    """A view of the platform API: any key of the account may ask, a management key too."""

    surface = Surface.PLATFORM
    records = False
    permissions: ClassVar[tuple[BasePermission, ...]] = (HasKey(),)

    async def work(self, job: Callable[[], Result]) -> Result:
        """Do something in a thread. Raises: RelayError (503) when the database is away."""

        def run() -> Result:
            close_old_connections()
            return job()

        try:
            return await asyncio.get_running_loop().run_in_executor(_threads, run)
        except DatabaseError as error:
            raise RelayError(
                code=Code.DATABASE_UNAVAILABLE,
                message="The records cannot be reached at the moment: try again shortly.",
                retry_after_s=2,
            ) from error

    async def fields(self, request: Request) -> dict[str, Any]:
        """Read a small JSON object. Raises: RelayError (400, 413), ClientGone."""
        headers = request.lower_headers
        raw = await body.read(
            request.receive,
            length=headers.get("content-length"),
            encoding=headers.get("content-encoding"),
            bytes_max=BODY_BYTES_MAX,
        )
        return jsonedit.read(raw).value


def data(value: Any, *, status: int = 200) -> Reply:
    """Return `{"data": value}`."""
    reply = Reply.json({"data": value})
    reply.status = status
    return reply
