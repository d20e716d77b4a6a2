"""Ids of calls in Anthropic's alphabet, and back to what the vendor gave (pure).

A client of this protocol may go on at Anthropic itself, which takes ids of letters, digits, `_`
and `-` only ([mem], 2026-11). Other vendors want their own ids back (Kimi's are
"functions.name:0"): so an id that is not legal is spelled in the legal alphabet.
"""

import base64
import binascii
import re
from typing import Final

from routing.translators import names

_PREFIX: Final = "toolu_br_"
_SPELLED_CHARS_MAX: Final = 36  # so that the whole has at most 64
_LEGAL: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def for_client(call_id: str, *, fallback: str) -> str:
    """Return the id as a client may see it; `fallback` where the vendor gave none."""
    if not call_id:
        return fallback
    if _LEGAL.fullmatch(call_id) and not call_id.startswith(_PREFIX):
        return call_id
    raw = call_id.encode("utf-8", "replace")
    if len(raw) > _SPELLED_CHARS_MAX:
        return names.legal_id(call_id)
    return _PREFIX + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_client(call_id: str) -> str:
    """Return the id that the vendor gave, where it is spelled here."""
    if not call_id.startswith(_PREFIX):
        return call_id
    spelled = call_id[len(_PREFIX) :]
    try:
        found = base64.urlsafe_b64decode(spelled + "=" * (-len(spelled) % 4)).decode()
    except (binascii.Error, ValueError):
        return call_id
    return found if for_client(found, fallback="") == call_id else call_id
