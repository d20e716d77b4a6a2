"""What the readers of answers share."""

import json
from typing import Any

from tests.conformance.normal import Answer, Candidate


def arguments(text: Any) -> Any:
    """Return parsed arguments; nothing is an empty object, no JSON object is told raw."""
    if isinstance(text, dict):
        return text
    if text is None or not str(text).strip():
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"_raw": str(text)}


def failed(document: Any) -> Answer | None:
    """Return an answer that is an error in any of the envelopes, or None."""
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if document.get("type") == "error" and error is None:  # a stream of Responses
        error = {k: v for k, v in document.items() if k != "type"}
    if error is None and document.get("detail"):
        error = {"message": str(document["detail"])}
    if not error:
        return None
    if isinstance(error, str):
        error = {"message": error}
    return Answer(error=error, candidates=(Candidate(finish="error"),))
