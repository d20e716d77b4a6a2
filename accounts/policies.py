"""Versions of the legal documents: which one holds, and which ones held before."""

import datetime as dt
from collections.abc import Sequence

from accounts.models import PolicyVersion


class VersionChanged(ValueError):
    """A published version has another text: a change needs a version of its own."""


def publish(
    *,
    document: str,
    version: str,
    text_sha256: str,
    summary: str,
    effective_at: dt.datetime,
    now: dt.datetime,
) -> PolicyVersion:
    """Publish a version; return the one that is there when it was published before.

    `text_sha256` stands for the texts of all languages together. Raises: VersionChanged.
    """
    found, _ = PolicyVersion.objects.get_or_create(
        document=document,
        version=version,
        defaults={
            "sha256": text_sha256,
            "summary": summary,
            "published_at": now,
            "effective_at": effective_at,
        },
    )
    if found.sha256 != text_sha256:
        raise VersionChanged(f"{document} {version} was published with another text")
    return found


def current(document: str, now: dt.datetime) -> PolicyVersion | None:
    """Return the version in force, None before the first one is."""
    rows = PolicyVersion.objects.filter(document=document, effective_at__lte=now)
    return rows.order_by("-effective_at", "-pk").first()


def history(document: str) -> Sequence[PolicyVersion]:
    """Return all published versions, newest first."""
    rows = PolicyVersion.objects.filter(document=document)
    return list(rows.order_by("-effective_at", "-pk"))
