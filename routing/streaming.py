"""The one builder of streaming responses."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.http.response import HttpResponseBase

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Pump = Callable[[Send], Awaitable[None]]

KEEPALIVE = b": keep-alive\n\n"


class Stream(HttpResponseBase):
    """A response that writes itself: `pump` sends body messages until the answer ends.

    Django's StreamingHttpResponse would wrap each chunk in two generators; here the relay
    hands its bytes straight to the server, and feels the server's backpressure.
    """

    streaming = True

    def __init__(self, pump: Pump, *, headers: Mapping[str, str], content_type: str) -> None:
        super().__init__(content_type=content_type, headers=dict(headers))
        self.pump = pump


def part(body: bytes) -> dict[str, object]:
    """Return the message that sends some bytes of a body."""
    return {"type": "http.response.body", "body": body, "more_body": True}


LAST = {"type": "http.response.body", "body": b"", "more_body": False}
