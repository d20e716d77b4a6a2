"""Reading a request's body: JSON, or a form whose files stay in memory."""

import json
from typing import Any

from aiohttp import BodyPartReader, web

# Every answer names its maker.
LABELED = {"X-Demo-Vendor": "simulated answers; no language model"}


async def read(request: web.Request) -> dict[str, Any]:
    """Return the fields; a file is its bytes, `name[]` a list. Raises: TypeError, ValueError."""
    if request.content_type != "multipart/form-data":
        value = await request.json(loads=json.loads)
        if not isinstance(value, dict):
            raise TypeError("not an object")
        return value
    found: dict[str, Any] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or not part.name:
            raise ValueError("a part without a name")
        data = bytes(await part.read())
        field: Any = data if part.filename is not None else data.decode()
        if part.name.endswith("[]"):
            found.setdefault(part.name[:-2], []).append(field)
        else:
            found[part.name] = field
    return found


def flag(body: dict[str, Any], name: str) -> bool:
    """Return a flag, of JSON or of a form."""
    return body.get(name) in (True, "true", "True")
