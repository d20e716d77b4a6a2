"""RSA-SHA256 and AES-256-GCM, as Alipay and WeChat Pay use them. No network, constant answers."""

import base64
import binascii
import functools
import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class BadKey(ValueError):
    """A key or certificate that was set cannot be read."""


class BadCipher(ValueError):
    """Not encrypted by who has the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What names a certificate: its issuer (RFC 4514) and its serial there."""

    issuer: str
    serial: int
    # Signed with RSA; Alipay's bundle of roots holds others, too.
    is_rsa: bool


_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_RSA_SIGNATURES = "1.2.840.113549.1.1."


def sign(private_pem: str, message: bytes) -> str:
    """Return the message's RSA-SHA256 signature (PKCS #1 v1.5), base64. Raises: BadKey."""
    signature = _private(private_pem).sign(message, padding.PKCS1v15(), hashes.SHA256())
    return base64.b64encode(signature).decode()


def is_signed(public_pem: str, signature: str, message: bytes) -> bool:
    """Tell whether the base64 signature is that of a public key's or certificate's owner.

    Raises: BadKey.
    """
    try:
        raw = base64.b64decode(signature.encode(), validate=True)
        _public(public_pem).verify(raw, message, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def open_sealed(key: str, *, nonce: str, associated: str, ciphertext: str) -> bytes:
    """Return what AES-256-GCM hid in a base64 text. Raises: BadCipher, BadKey."""
    if len(key.encode()) != 32:
        raise BadKey("an APIv3 key has 32 bytes")
    try:
        raw = base64.b64decode(ciphertext.encode(), validate=True)
        return AESGCM(key.encode()).decrypt(nonce.encode(), raw, associated.encode())
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise BadCipher from error


@functools.lru_cache(maxsize=32)
def certificates(pems: str) -> tuple[Certificate, ...]:
    """Return the names of all certificates in a PEM text. Raises: BadKey."""
    try:
        loaded = [x509.load_pem_x509_certificate(pem.encode()) for pem in _PEM.findall(pems)]
        found = tuple(
            Certificate(
                issuer=one.issuer.rfc4514_string(),
                serial=one.serial_number,
                is_rsa=one.signature_algorithm_oid.dotted_string.startswith(_RSA_SIGNATURES),
            )
            for one in loaded
        )
    except ValueError as error:
        raise BadKey("no certificate in PEM") from error
    if not found:
        raise BadKey("no certificate in PEM")
    return found


@functools.lru_cache(maxsize=32)
def _private(pem: str) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError) as error:
        raise BadKey("no private key in PEM") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BadKey("no RSA key")
    return key


@functools.lru_cache(maxsize=32)
def _public(pem: str) -> rsa.RSAPublicKey:
    key: object
    try:
        if "CERTIFICATE" in pem:
            key = x509.load_pem_x509_certificate(pem.encode()).public_key()
        else:
            key = serialization.load_pem_public_key(pem.encode())
    except ValueError as error:
        raise BadKey("no public key in PEM") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise BadKey("no RSA key")
    return key
