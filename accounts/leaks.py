"""Keys that were found where everybody can read them: refused at once, and their owners told.

Whoever found them sends their texts; what we keep is which key, and where it was found.
"""

import datetime as dt
import hashlib
import hmac
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from accounts import keys, keytext, notifications, roles
from accounts.models import ApiKey, LeakedKey
from accounts.notifications import FACT_CHARS_MAX, Notice

FINDINGS_MAX = 10_000
# Keys that one statement looks up: Django counts on 999 parameters of SQLite.
LOOK_UP_MAX = 500
URL_CHARS_MAX, SOURCE_CHARS_MAX, TYPE_CHARS_MAX = 500, 40, 100


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
    """Note where a key was found, tell of new places, and revoke it: announced last."""
    known = set(LeakedKey.objects.filter(api_key=key).values_list("url", flat=True))
    new = list({one.url: one for one in found if one.url not in known}.values())
    LeakedKey.objects.bulk_create(
        [LeakedKey(api_key=key, source=one.source, url=one.url, received_at=now) for one in new],
        ignore_conflicts=True,
    )
    if new:
        _tell(key, [one.url for one in new], now=now)
    keys.revoke(key)


def _tell(key: ApiKey, urls: Sequence[str], *, now: dt.datetime) -> None:
    """Tell who manages the account's keys, and who made this one."""
    shown = next((url for url in urls if 0 < len(url) <= FACT_CHARS_MAX), "")
    places = hashlib.sha256("\n".join(sorted(urls)).encode()).hexdigest()[:32]
    notice = Notice(
        kind="security",
        key=f"leaked-key:{key.pk}:{places}",
        name="leaked_key",
        facts={
            "name": key.name,
            "last": key.last_four,
            "account": key.account.name,
            "url": shown,
            "others": len(urls) - bool(shown),
        },
        path="/keys",
        is_urgent=True,
    )
    account = key.account
    notifications.tell_account(account=account, roles=roles.may_manage_keys, notice=notice, now=now)
    maker = key.created_by
    if maker is not None and maker.is_active and account.members.filter(pk=maker.pk).exists():
        notifications.tell(user=maker, notice=notice, now=now, account=account)


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
        ).select_related("account", "created_by")
