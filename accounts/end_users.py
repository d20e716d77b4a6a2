"""Whom a caller serves: keyed hashes of the names that it sends, never the names.

A hash tells one account's end users apart. Each account has its own key, derived from a pepper
that is not in the database: equal names of two accounts have nothing in common, and whoever
holds the database cannot try names.
"""

import functools
import hashlib
import hmac
from collections.abc import Sequence

from django.conf import settings

from accounts import keytext

LABEL = b"bananarouter end user v1"
DIGEST_CHARS = 32
CACHED_MAX = 10_000


def digest(name: str, *, account_id: int) -> str | None:
    """Hash an end user's name under the newest pepper; None for a blank one. Raises: NoPepper."""
    name = name.strip()
    if not name:
        return None
    pepper = keytext.peppers().newest_text
    if not pepper:
        raise keytext.NoPepper
    return _digest(name, pepper, account_id)


def digests(name: str, *, account_id: int) -> Sequence[str]:
    """Hash a name under every pepper, newest first: what older rows may hold as well."""
    name = name.strip()
    texts = [text for _, text in sorted(settings.KEY_PEPPERS.items(), reverse=True) if text]
    return [_digest(name, text, account_id) for text in texts] if name else []


def _digest(name: str, pepper: str, account_id: int) -> str:
    state = _keyed(pepper, account_id).copy()
    # JSON may escape half of a surrogate pair, which UTF-8 cannot write.
    state.update(name.encode(errors="surrogatepass"))
    return state.hexdigest()[:DIGEST_CHARS]


@functools.lru_cache(maxsize=CACHED_MAX)
def _keyed(pepper: str, account_id: int) -> hmac.HMAC:
    key = keytext.derive(pepper, label=LABEL + b"|%d" % account_id)
    return hmac.new(key, digestmod=hashlib.sha256)
