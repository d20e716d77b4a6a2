"""Channel credentials at rest: AES-256-GCM, bound to their row, under keys that rotate.

Each secret has a data key of its own; that key is wrapped by a key-encryption key of
settings.CREDENTIAL_KEYS (id -> secret; the last one seals, the others only open). Both
ciphertexts are bound to table, column and row, so a copied ciphertext opens nowhere else.
"""

import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import transaction

from routing.models import Channel

VERSION = 1
KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES
SECRET_CHARS_MAX = 8_192
# One label for each purpose: the same secret never makes the same key for two of them.
LABEL = b"bananarouter routing_channel.credential v1"


class CredentialError(Exception):
    """The credential cannot be sealed or opened; the text holds no part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A credential as the database keeps it."""

    blob: bytes
    key_id: str
    last_four: str


def seal(secret: str, *, channel_id: int) -> Sealed:
    """Encrypt a secret for one row. Raises: CredentialError."""
    if not secret.isascii() or not secret.isprintable() or len(secret) > SECRET_CHARS_MAX:
        raise CredentialError("a credential is one line of printable ASCII")
    key_id = _latest_key_id()
    data_key = AESGCM.generate_key(bit_length=KEY_BYTES * 8)
    blob = (
        bytes([VERSION])
        + _encrypt(_kek(key_id), data_key, _bound(channel_id, part=b"key"))
        + _encrypt(data_key, secret.encode(), _bound(channel_id, part=b"secret"))
    )
    # Four characters of a short secret would give it away.
    last_four = secret[-4:] if len(secret) >= 16 else ""
    return Sealed(blob=blob, key_id=key_id, last_four=last_four)


def unseal(blob: bytes, *, key_id: str, channel_id: int) -> str:
    """Decrypt a row's credential. Raises: CredentialError for another row's or a lost key."""
    wrapped, sealed = _split(blob)
    try:
        data_key = _decrypt(_kek(key_id), wrapped, _bound(channel_id, part=b"key"))
        return _decrypt(data_key, sealed, _bound(channel_id, part=b"secret")).decode()
    except InvalidTag as error:
        raise CredentialError("the credential does not open here") from error


def store(channel: Channel, secret: str) -> bool:
    """Keep a secret with its channel, which must have an id; False when it already holds it."""
    if channel.credential and is_secret(channel, secret):
        return False
    sealed = seal(secret, channel_id=channel.pk) if secret else None
    channel.credential = sealed.blob if sealed else b""
    channel.credential_key_id = sealed.key_id if sealed else ""
    channel.credential_last_four = sealed.last_four if sealed else ""
    channel.save(update_fields=["credential", "credential_key_id", "credential_last_four"])
    return True


def is_secret(channel: Channel, secret: str) -> bool:
    """Tell whether the channel holds this secret; one that does not open holds none."""
    try:
        kept = unseal(
            bytes(channel.credential), key_id=channel.credential_key_id, channel_id=channel.pk
        )
    except CredentialError:
        return False
    return kept == secret


@transaction.atomic
def rewrap() -> int:
    """Wrap every data key with the latest key-encryption key; return how many changed.

    The secrets are not decrypted. Raises: CredentialError, and then nothing has changed.
    """
    latest = _latest_key_id()
    rows = Channel.objects.select_for_update().exclude(credential_key_id__in=["", latest])
    count = 0
    for channel in rows:
        wrapped, sealed = _split(bytes(channel.credential))
        bound = _bound(channel.pk, part=b"key")
        try:
            data_key = _decrypt(_kek(channel.credential_key_id), wrapped, bound)
        except InvalidTag as error:
            raise CredentialError(f"channel {channel.pk} does not open") from error
        channel.credential = bytes([VERSION]) + _encrypt(_kek(latest), data_key, bound) + sealed
        channel.credential_key_id = latest
        channel.save(update_fields=["credential", "credential_key_id"])
        count += 1
    return count


def _latest_key_id() -> str:
    key_ids = [key_id for key_id, secret in settings.CREDENTIAL_KEYS.items() if secret]
    if not key_ids:
        raise CredentialError("CREDENTIAL_KEY is not set")
    return str(key_ids[-1])


def _kek(key_id: str) -> bytes:
    secret = settings.CREDENTIAL_KEYS.get(key_id)
    if not secret:
        raise CredentialError("the credential's key-encryption key is not set")
    kdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=LABEL)
    return kdf.derive(str(secret).encode())


def _bound(channel_id: int, *, part: bytes) -> bytes:
    return b"routing_channel|credential|%d|%d|%s" % (channel_id, VERSION, part)


def _encrypt(key: bytes, data: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, bound)


def _decrypt(key: bytes, data: bytes, bound: bytes) -> bytes:
    return AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], bound)


def _split(blob: bytes) -> tuple[bytes, bytes]:
    if len(blob) < 1 + WRAPPED_BYTES + NONCE_BYTES + TAG_BYTES or blob[0] != VERSION:
        raise CredentialError("the credential has an unknown form")
    return blob[1 : 1 + WRAPPED_BYTES], blob[1 + WRAPPED_BYTES :]
