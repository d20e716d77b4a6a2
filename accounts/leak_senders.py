"""Who may say that a key has leaked: messages signed as GitHub's secret scanning signs them.

The raw body is signed by ECDSA over P-256 with SHA-256; the public keys are published under one
address, each under an id. (GitHub docs, "Secret scanning partner program", read 2026-11.)
"""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache

from accounts import signatures

TIMEOUT_S = 5
ANSWER_BYTES_MAX = 64 << 10
KEYS_MAX = 32
KEPT_S = 3_600
# An id that nobody knows makes us ask again, but not more often than this.
ASK_AGAIN_S = 30
_KEPT = "leak-senders:keys"
_ASKED = "leak-senders:asked"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class NotSigned(Exception):
    """The message was not signed by a key that is published. `code` says what is wrong."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class KeysAway(Exception):
    """The published keys cannot be read now: the message should come again."""


def check(body: bytes, *, key_id: str, signature: str) -> None:
    """Let a message pass that one of the published keys signed. Raises: NotSigned; KeysAway."""
    if not key_id or not signature:
        raise NotSigned("no_signature")
    if not signatures.is_signed(body, pem=_published(key_id), signature=signature):
        raise NotSigned("wrong_signature")


def _published(key_id: str) -> str:
    """Return the PEM of a key; asks once more when the id is new. Raises: NotSigned; KeysAway."""
    kept: Mapping[str, str] | None = cache.get(_KEPT)
    if kept is not None and key_id in kept:
        return kept[key_id]
    if cache.add(_ASKED, 1, ASK_AGAIN_S):
        try:
            kept = _fetch(settings.LEAK_KEYS_URL)
        except KeysAway:
            cache.delete(_ASKED)
            raise
        cache.set(_KEPT, kept, KEPT_S)
    if kept is None:
        raise KeysAway
    if key_id not in kept:
        raise NotSigned("unknown_key")
    return kept[key_id]


def _fetch(url: str) -> Mapping[str, str]:
    """Read the published keys: id -> PEM. Raises: KeysAway."""
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise KeysAway
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            text = answer.read(ANSWER_BYTES_MAX + 1)
        if len(text) > ANSWER_BYTES_MAX:
            raise KeysAway
        rows = json.loads(text)["public_keys"][:KEYS_MAX]
        return {str(row["key_identifier"]): str(row["key"]) for row in rows}
    except (OSError, HTTPException, ValueError, KeyError, TypeError, RecursionError) as error:
        raise KeysAway from error
