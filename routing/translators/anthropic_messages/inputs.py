"""Arguments of calls as the objects that this wire format wants (pure)."""

from typing import Final

import orjson

from routing.conversation import ToolCall

_EMPTY: Final = orjson.Fragment(b"{}")


def of(call: ToolCall) -> orjson.Fragment:
    """Return a call's arguments as JSON: the source's own bytes where they are an object.

    So numbers of any size stay whole. Nothing is an empty object; what is no object comes under
    `_raw`, since a history must never break a request; a custom tool's text under `input`.
    """
    text = call.arguments
    if call.is_custom:
        return orjson.Fragment(orjson.dumps({"input": text}))
    if not text or text.isspace():
        return _EMPTY
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if type(value) is dict:
        return orjson.Fragment(text.encode())
    return orjson.Fragment(orjson.dumps({"_raw": text}))
