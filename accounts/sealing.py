"""Small texts encrypted at rest: AES-256-GCM under keys derived for one purpose each.

Written as `1.<key id>.<base64url of nonce and ciphertext>`. The last of
settings.CREDENTIAL_KEYS seals, the others only open; version, key id and purpose are bound.
"""

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

VERSION = "1"
NONCE_BYTES = 12
KEY_BYTES = 32


class CannotSeal(Exception):
    """There is no key to encrypt with."""


class CannotOpen(Exception):
    """The text was not sealed for this purpose, was altered, or its key is lost."""


def seal(text: str, *, label: bytes) -> str:
    """Encrypt a text for the purpose that `label` names. Raises: CannotSeal."""
    usable = [key_id for key_id, secret in settings.CREDENTIAL_KEYS.items() if secret]
    if not usable:
        raise CannotSeal
    key_id = usable[-1]
    nonce = os.urandom(NONCE_BYTES)
    sealed = _cipher(key_id, label).encrypt(nonce, text.encode(), _bound(key_id, label))
    return f"{VERSION}.{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def unseal(sealed: str, *, label: bytes) -> str:
    """Decrypt a text of the same purpose. Raises: CannotOpen."""
    version, _, rest = sealed.partition(".")
    key_id, _, body = rest.partition(".")
    if version != VERSION or not settings.CREDENTIAL_KEYS.get(key_id):
        raise CannotOpen
    try:
        raw = base64.b64decode(body, altchars=b"-_", validate=True)
        nonce, ciphertext = raw[:NONCE_BYTES], raw[NONCE_BYTES:]
        return _cipher(key_id, label).decrypt(nonce, ciphertext, _bound(key_id, label)).decode()
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise CannotOpen from error


def _cipher(key_id: str, label: bytes) -> AESGCM:
    derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=label)
    return AESGCM(derived.derive(settings.CREDENTIAL_KEYS[key_id].encode()))


def _bound(key_id: str, label: bytes) -> bytes:
    return b"|".join((VERSION.encode(), key_id.encode(), label))
