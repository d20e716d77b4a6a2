"""OpenRouter's envelope around native answers under /api/v1: usage with its cost (pure).

Chat completions are rewritten whole by their translator; other protocols keep the vendor's own
answer, and only their usage object gets the cost that was booked.
"""

from typing import Any

import orjson

from billing.money import decimal_usd
from routing import sse


def priced_body(body: bytes, *, cost_nusd: int) -> bytes:
    """Put the cost into the usage of a whole answer; one without usage stays as it is."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:  # sound, or text
        return body
    return orjson.dumps(document) if _price(document, cost_nusd) else body


def priced_events(held: bytes, *, cost_nusd: int) -> bytes:
    """Put the cost into the usage of a stream's last events."""
    splitter = sse.Splitter(len(held))  # a picture is larger than other events
    events = splitter.feed(held) if held else []
    return b"".join(_priced_event(event, cost_nusd) for event in [*events, splitter.rest()])


def _priced_event(event: bytes, cost_nusd: int) -> bytes:
    data = sse.data_of(event)
    if b'"usage"' not in data:
        return event
    body = priced_body(data, cost_nusd=cost_nusd)
    names = [line for line in event.splitlines() if line.startswith(b"event:")]
    return b"\n".join([*names, b"data: " + body, b"", b""])


def _price(document: Any, cost_nusd: int) -> bool:
    holders = (document, document.get("response")) if isinstance(document, dict) else ()
    for holder in holders:
        usage = holder.get("usage") if isinstance(holder, dict) else None
        if isinstance(usage, dict):
            cost = orjson.Fragment(decimal_usd(cost_nusd))
            usage.update(cost=cost, total_cost=cost, is_byok=False)
            return True
    return False
