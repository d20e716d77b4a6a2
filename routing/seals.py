"""Our envelope for a foreign vendor's seal in a client's signature field (pure).

A client that echoes signatures can so carry any vendor's reasoning through a tool loop. The
envelope holds the vendor's opaque bytes only; a MAC over them shows on return that they are the
ones that we gave, to this account. It is opened here and never sent to a vendor.
"""

import base64
import binascii
import hashlib
import hmac

import msgspec

from routing.conversation import Seal, SealFormat

PREFIX = "br1."
_MAC_BYTES = 16
_QUOTED = b'"' + PREFIX.encode()
# The first five letters are the same whatever follows the prefix.
_QUOTED_BASE64 = b'"' + base64.b64encode(PREFIX.encode())[:5]


class _Content(msgspec.Struct, array_like=True):
    format: SealFormat
    id: str
    data: str
    is_redacted: bool


_decode = msgspec.json.Decoder(_Content).decode


def is_envelope(text: str) -> bool:
    """Tell whether a signature is one of our envelopes: no vendor may see it."""
    return text.startswith(PREFIX)


def are_in(raw: bytes) -> bool:
    """Tell whether a request's bytes hold a string that may be an envelope (base64 for Gemini)."""
    return _QUOTED in raw or _QUOTED_BASE64 in raw


def wrap(seal: Seal, *, key: bytes) -> str:
    """Put a seal into an envelope: text of the base64url alphabet after the prefix."""
    content = msgspec.json.encode(
        _Content(format=seal.format, id=seal.id, data=seal.data, is_redacted=seal.is_redacted)
    )
    packed = base64.urlsafe_b64encode(_mac(content, key) + content)
    return PREFIX + packed.rstrip(b"=").decode()


def unwrap(text: str, *, key: bytes) -> Seal | None:
    """Open an envelope; None when it is none, was altered, or was given to another account."""
    if not is_envelope(text):
        return None
    packed = text[len(PREFIX) :].encode("ascii", "replace")
    try:
        whole = base64.urlsafe_b64decode(packed + b"=" * (-len(packed) % 4))
    except binascii.Error:
        return None
    mac, content = whole[:_MAC_BYTES], whole[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(content, key)):
        return None
    try:
        found = _decode(content)
    except msgspec.DecodeError:
        return None
    return Seal(format=found.format, data=found.data, id=found.id, is_redacted=found.is_redacted)


def _mac(content: bytes, key: bytes) -> bytes:
    return hmac.digest(key, content, hashlib.sha256)[:_MAC_BYTES]
