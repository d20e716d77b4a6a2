"""Proof of work: a browser shows that it spent some seconds before something is given away.

The challenge is signed and bound to whom it is for; nothing is stored until it is solved. A
solution is a number whose SHA-256 together with the challenge's begins with enough zero bits.
"""

import datetime as dt
import hashlib
import re
import secrets

from django.core import signing
from django.core.cache import cache

SALT = "bananarouter.accounts.work"
LIFE = dt.timedelta(hours=1)
NONCE_BYTES = 8
# What a JavaScript number holds exactly.
_NONCE = re.compile(r"[0-9]{1,15}").fullmatch


class WorkRefused(Exception):
    """The work does not count; the class says why."""


class WorkWrong(WorkRefused):
    """The challenge is not ours or not for this one, or the number does not solve it."""


class WorkExpired(WorkRefused):
    """The challenge is too old."""


class WorkSpent(WorkRefused):
    """This solution was handed in before."""


def issue(*, subject: str, bits: int, now: dt.datetime) -> str:
    """Return a new challenge of `bits` zero bits: 2 ** bits tries on average."""
    until = int((now + LIFE).timestamp())
    challenge = {"for": subject, "bits": bits, "until": until, "salt": secrets.token_urlsafe(9)}
    return signing.Signer(salt=SALT).sign_object(challenge)


def verify(challenge: str, nonce: str, *, subject: str, now: dt.datetime) -> None:
    """Take a solution, once. Raises: WorkRefused."""
    try:
        told = signing.Signer(salt=SALT).unsign_object(challenge)
    except signing.BadSignature as error:
        raise WorkWrong from error
    if told["for"] != subject or not _NONCE(nonce):
        raise WorkWrong
    if now.timestamp() >= told["until"]:
        raise WorkExpired
    if zero_bits(challenge, int(nonce)) < told["bits"]:
        raise WorkWrong
    spent = hashlib.sha256(challenge.encode()).hexdigest()
    if not cache.add(f"work:{spent}", 1, timeout=LIFE.total_seconds()):
        raise WorkSpent


def zero_bits(challenge: str, nonce: int) -> int:
    """Count the zero bits that a number's digest begins with.

    The challenge goes in as its own digest, so that each try is one block of SHA-256.
    """
    head = hashlib.sha256(challenge.encode()).digest()
    digest = hashlib.sha256(head + nonce.to_bytes(NONCE_BYTES, "big")).digest()
    return 8 * len(digest) - int.from_bytes(digest, "big").bit_length()
