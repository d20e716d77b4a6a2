"""Cut an answer into its JSON documents: one, a stream of events, or an array that grew."""

import json
import re
from typing import Any


def is_sse(body: bytes | str) -> bool:
    start = body if isinstance(body, str) else body.decode("utf-8", "replace")
    return re.match(r"\s*(data:|event:|:|id:|retry:)", start) is not None


def events(body: bytes | str) -> list[tuple[str, Any]]:
    """Return (name, document) of each event; `[DONE]` is a document of text."""
    text = body if isinstance(body, str) else body.decode()
    found = []
    for block in re.split(r"\r?\n\r?\n", text):
        rows = block.splitlines()
        names = [row[6:].strip() for row in rows if row.startswith("event:")]
        data = "\n".join(row[5:].strip() for row in rows if row.startswith("data:"))
        if data:
            document = data if data == "[DONE]" else json.loads(data)
            found.append((names[0] if names else "", document))
    return found


def documents(body: bytes | str) -> list[Any]:
    """Return all documents, `[DONE]` left out."""
    if is_sse(body):
        return [document for _, document in events(body) if document != "[DONE]"]
    found = json.loads(body)
    return found if isinstance(found, list) else [found]
