"""The text of API keys and its digests: `bnr_live_`, 30 random base62 characters, CRC-32.

A digest is an HMAC under a pepper that is not in the database; several versions of the
pepper may be in use, the highest mints.
"""

import hashlib
import hmac
import secrets
import zlib
from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

PREFIX = "bnr_live_"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_CHARS = 30
CHECK_CHARS = 6
LENGTH = len(PREFIX) + RANDOM_CHARS + CHECK_CHARS
DEMO_LABEL = b"bananarouter demo key"


class NoPepper(Exception):
    """No pepper is configured: keys can be neither minted nor verified."""


def _base62(number: int, length: int) -> str:
    chars = []
    for _ in range(length):
        number, rest = divmod(number, 62)
        chars.append(ALPHABET[rest])
    return "".join(reversed(chars))


def _with_check(body: str) -> str:
    return body + _base62(zlib.crc32(body.encode()), CHECK_CHARS)


def draw() -> str:
    """Return the text of a new random key."""
    return _with_check(PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARS)))


def is_well_formed(text: str) -> bool:
    """Tell whether a text is a key's: prefix, length, characters and checksum. No secret."""
    if len(text) != LENGTH or not text.startswith(PREFIX) or not text.isascii():
        return False
    return text == _with_check(text[:-CHECK_CHARS])


def derive(pepper: str, *, label: bytes) -> bytes:
    """Derive a key of 32 bytes from a pepper, for the one purpose that `label` names."""
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=label)
    return derived.derive(pepper.encode())


def derive_demo(pepper: str | None = None) -> str:
    """Derive the text of the demo key: the same each time for one pepper. Raises: NoPepper."""
    pepper = peppers().newest_text if pepper is None else pepper
    if not pepper:
        raise NoPepper
    number = int.from_bytes(derive(pepper, label=DEMO_LABEL), "big")
    return _with_check(PREFIX + _base62(number, RANDOM_CHARS))


class Peppers:
    """The configured peppers, prepared; the highest version mints and keys the cache."""

    def __init__(self, configured: Mapping[int, str]) -> None:
        self.configured = configured
        texts = {version: text for version, text in configured.items() if text}
        self._hashes = {
            version: hmac.new(texts[version].encode(), digestmod=hashlib.sha256)
            for version in sorted(texts, reverse=True)
        }
        self.newest = max(texts, default=None)
        self.newest_text = "" if self.newest is None else texts[self.newest]

    def digest(self, text: str) -> bytes:
        """Return the digest under the newest pepper. Raises: NoPepper."""
        if self.newest is None:
            raise NoPepper
        state = self._hashes[self.newest].copy()
        state.update(text.encode())
        return state.digest()

    def digests(self, text: str) -> dict[int, bytes]:
        """Return the digest under every pepper, by version."""
        found = {}
        for version, template in self._hashes.items():
            state = template.copy()
            state.update(text.encode())
            found[version] = state.digest()
        return found


_prepared = Peppers({})


def peppers() -> Peppers:
    """Return the configured peppers, prepared once for each value of the setting."""
    global _prepared  # noqa: PLW0603
    if _prepared.configured is not settings.KEY_PEPPERS:
        _prepared = Peppers(settings.KEY_PEPPERS)
    return _prepared
