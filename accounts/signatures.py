"""Detached signatures: ours over what we hand over (Ed25519), and those of others (ECDSA)."""

import base64
import binascii

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from django.conf import settings

from accounts import keytext
from accounts.sealing import CannotSeal


def sign(text: bytes, *, label: bytes) -> str:
    """Return our signature in base64, for the purpose that `label` names. Raises: CannotSeal."""
    return base64.b64encode(_key(label).sign(text)).decode()


def public_key(*, label: bytes) -> str:
    """Return the public key (PEM) that proves our signatures. Raises: CannotSeal."""
    return (
        _key(label)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def _key(label: bytes) -> Ed25519PrivateKey:
    """Derive the key that signs from the newest credential key. Raises: CannotSeal."""
    usable = [secret for secret in settings.CREDENTIAL_KEYS.values() if secret]
    if not usable:
        raise CannotSeal
    return Ed25519PrivateKey.from_private_bytes(keytext.derive(usable[-1], label=label))


def is_signed(text: bytes, *, pem: str, signature: str) -> bool:
    """Tell whether a base64 signature by ECDSA with SHA-256 is that of a public key."""
    try:
        signed = base64.b64decode(signature, validate=True)
        key = serialization.load_pem_public_key(pem.encode())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return False
        key.verify(signed, text, ec.ECDSA(SHA256()))
    except (InvalidSignature, UnsupportedAlgorithm, binascii.Error, ValueError):
        return False
    return True
