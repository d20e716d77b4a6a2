"""thoughtSignature: Google's own seal, or our envelope with another vendor's (pure).

The field holds bytes as base64. Google's SDK decodes it and writes it back in the URL's alphabet
(recorded 2026): both alphabets are read.
"""

import base64
from typing import Final

from routing import seals
from routing.conversation import Seal, SealFormat

# "There was no signature": Google's documented value for calls that no Gemini 3 made (Gemini API,
# thought signatures, 2026; recorded base64-encoded, answered 200).
SENTINEL: Final = base64.b64encode(b"skip_thought_signature_validator").decode()
_SENTINELS: Final = frozenset(
    {
        b"skip_thought_signature_validator",
        b"context_engineering_is_the_way_to_go",  # the other that is documented
    }
)
_LONGEST_SENTINEL: Final = 52
_ENVELOPE_START: Final = base64.b64encode(seals.PREFIX.encode())[:5].decode()


def read(text: str, *, key: bytes) -> Seal | None:
    """Return the seal in a signature; None where there is none that a vendor may see."""
    if not text:
        return None
    if seals.is_envelope(text):
        return seals.unwrap(text, key=key)
    if text.startswith(_ENVELOPE_START):
        opened = _bytes(text)
        if opened is not None and seals.is_envelope(opened[:4].decode("latin-1")):
            return seals.unwrap(opened.decode("latin-1"), key=key)
    if len(text) <= _LONGEST_SENTINEL and (
        _bytes(text) in _SENTINELS or text.encode() in _SENTINELS
    ):
        return None
    return Seal(format=SealFormat.GOOGLE, data=text)


def write(seal: Seal, *, key: bytes) -> str:
    """Return what stands in `thoughtSignature`: Google's seal as it is, else our envelope."""
    if seal.format is SealFormat.GOOGLE:
        return seal.data
    return base64.b64encode(seals.wrap(seal, key=key).encode()).decode()


def _bytes(text: str) -> bytes | None:
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        return None
