"""What callers label a request with: a tag in a header, and their end user in the body."""

from collections.abc import Mapping
from typing import Any

from accounts import end_users
from logs.labels import LABEL_CHARS_MAX, is_label
from routing.dialects.base import Inbound
from routing.errors import Code, RelayError
from routing.surfaces import Family

TAG_HEADER = "x-tag"


def tag(headers: Mapping[str, str]) -> str | None:
    """Read the tag; empty is none. Raises: RelayError (400) for what is no label."""
    text = headers.get(TAG_HEADER)
    if not text or is_label(text):
        return text or None
    raise RelayError(
        code=Code.INVALID_HEADER,
        message=f"X-Tag must be 1 to {LABEL_CHARS_MAX} characters of A-Z, a-z, 0-9 and ._:/@- "
        "and begin with a letter or digit: change the header, or leave it out.",
    )


def end_user(inbound: Inbound, *, account_id: int) -> str | None:
    """Return the keyed hash of the end user that the body names; None when it names nobody."""
    name = _named(inbound.surface.family, inbound.body)
    return end_users.digest(name, account_id=account_id) if type(name) is str else None


def _named(family: Family, body: Mapping[str, Any]) -> Any:
    """Return what stands where this protocol names the end user: anything, or None.

    Only looked at: what is wrong with the field is the vendor's to say, as ever.
    """
    if family is Family.OPENAI:
        # The second took over from the first (OpenAI's reference, 2026-08).
        return body.get("user") or body.get("safety_identifier")
    if family is Family.ANTHROPIC:
        metadata = body.get("metadata")
        return metadata.get("user_id") if type(metadata) is dict else None
    return None  # Gemini's protocol has no field for it
