"""Keys that were found where everybody can read them: refused at once, and their owners told.

Whoever found them sends their texts; what we keep is which key, and where it was found.
"""

import datetime as dt
import hmac
import itertools
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from smtplib import SMTPException
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import keys, keytext, notice_mail
from accounts.models import ApiKey, LeakedKey

logger = logging.getLogger(__name__)

FINDINGS_MAX = 10_000
# Keys that one statement looks up: Django counts on 999 parameters of SQLite.
LOOK_UP_MAX = 500
URL_CHARS_MAX, SOURCE_CHARS_MAX, TYPE_CHARS_MAX = 500, 40, 100
TOLD_MAX, URLS_TOLD_MAX = 200, 10
# Longer than a mail takes, shorter than the owners may wait.
TELLING_S = 15


class Unreadable(ValueError):
    """The message is no list of findings."""


class TooMany(ValueError):
    """More findings than FINDINGS_MAX."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A text that looks like a key, and where it stood. Its `repr` tells no secret."""

    token: str = field(repr=False)
    kind: str
    url: str
    source: str


def read(body: bytes) -> list[Finding]:
    """Read the findings of a message. Raises: Unreadable; TooMany."""
    try:
        rows = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unreadable
    if len(rows) > FINDINGS_MAX:
        raise TooMany
    return [_finding(row) for row in rows]


def _finding(row: dict[str, Any]) -> Finding:
    token, kind = row.get("token"), row.get("type")
    if not isinstance(token, str) or not isinstance(kind, str) or len(kind) > TYPE_CHARS_MAX:
        raise Unreadable
    try:
        f"{token}{kind}".encode()
    except UnicodeEncodeError as error:
        raise Unreadable from error
    url, source = str(row.get("url") or ""), str(row.get("source") or "")
    is_plain = url.startswith(("https://", "http://")) and token not in url
    return Finding(
        token=token,
        kind=kind,
        # An address that we cannot show safely is not kept; the key is revoked all the same.
        url=url if is_plain and len(url) <= URL_CHARS_MAX and url.isprintable() else "",
        source=source.lower() if source.isidentifier() and len(source) <= SOURCE_CHARS_MAX else "",
    )


def take(findings: Sequence[Finding], *, now: dt.datetime) -> list[bool]:
    """Revoke each key of ours, on every worker within a second; say of each finding if it is one.

    Each key is done whole or not at all, and the same message again changes nothing. A demo key
    is no secret: it opens nothing that costs.
    """
    ours = _ours({finding.token for finding in findings if keytext.is_well_formed(finding.token)})
    for token, found in itertools.groupby(
        sorted((one for one in findings if one.token in ours), key=lambda one: one.token),
        key=lambda one: one.token,
    ):
        _revoke(ours[token], list(found), now=now)
    return [finding.token in ours for finding in findings]


@transaction.atomic
def _revoke(key: ApiKey, found: Sequence[Finding], *, now: dt.datetime) -> None:
    rows = [
        LeakedKey(api_key=key, source=one.source, url=one.url, received_at=now) for one in found
    ]
    LeakedKey.objects.bulk_create(rows, ignore_conflicts=True)
    keys.revoke(key)


def _ours(tokens: set[str]) -> dict[str, ApiKey]:
    """Find the stored keys of many texts, whatever their state."""
    by_digest = {
        digest: (token, version)
        for token in tokens
        for version, digest in keytext.peppers().digests(token).items()
    }
    found = {}
    for key in _stored(list(by_digest)):
        token, version = by_digest[bytes(key.digest)]
        expected = keytext.peppers().digests(token)[version]
        if key.pepper_version == version and hmac.compare_digest(expected, bytes(key.digest)):
            found[token] = key
    return found


def _stored(digests: Sequence[bytes]) -> Iterator[ApiKey]:
    for start in range(0, len(digests), LOOK_UP_MAX):
        yield from ApiKey.objects.filter(
            digest__in=digests[start : start + LOOK_UP_MAX], is_demo=False
        )


def tell_due(*, now: dt.datetime) -> int:
    """Tell the owners of keys that were found, once for each key; return how many keys."""
    waiting = LeakedKey.objects.filter(told_at=None).order_by("received_at")
    ids = dict.fromkeys(waiting.values_list("api_key", flat=True)[:TOLD_MAX])
    return sum(_tell(key_id, now=now) for key_id in ids)


def _tell(key_id: int, *, now: dt.datetime) -> bool:
    """Tell of one key; a mail that cannot be handed over is tried again at a later round."""
    if not cache.add(f"leak-told:{key_id}", 1, TELLING_S):
        return False  # another worker is about to
    rows = LeakedKey.objects.filter(api_key=key_id, told_at=None).order_by("pk")
    found = list(rows)
    if not found:
        return False
    key = ApiKey.objects.select_related("account").get(pk=key_id)
    urls = [row.url for row in found if row.url][:URLS_TOLD_MAX]
    try:
        notice_mail.tell(key.account, kind="security", write=lambda: _words(key, urls))
    except (OSError, SMTPException):
        logger.exception("leak notice not sent", extra={"key": key_id})
        return False
    LeakedKey.objects.filter(pk__in=[row.pk for row in found]).update(told_at=now)
    return True


def _words(key: ApiKey, urls: Sequence[str]) -> notice_mail.Words:
    return notice_mail.Words(
        subject=_("We revoked an API key that was public"),
        lines=[
            _("The key “%(name)s” (ends in %(last)s) of the account “%(account)s” was found where "
              "everybody can read it. It is revoked: nobody can use it any more.")
            % {"name": key.name, "last": key.last_four, "account": key.account.name},
            *([_("It was found here:"), "\n".join(urls)] if urls else []),
            _("Make a new key, keep it out of your code, and look at your requests for any that "
              "you did not make."),
        ],
    )  # fmt: skip
