"""Versions of the legal documents: which one holds, which ones held before, which one comes.

A material version holds when its day has come, when everybody has been told of it, and when they
have had POLICY_NOTICE_DAYS since; the telling is accounts.announcements.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q

from accounts.models import PolicyVersion


class VersionChanged(ValueError):
    """A published version has another text: a change needs a version of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A version to publish. `sha256` stands for the texts of all languages together."""

    document: str
    version: str
    sha256: str
    summary: str
    is_material: bool
    effective_at: dt.datetime


def notice() -> dt.timedelta:
    """Return how long before a material change everybody is told."""
    return dt.timedelta(days=settings.POLICY_NOTICE_DAYS)


def publish(text: Text, *, now: dt.datetime) -> PolicyVersion:
    """Publish a version; return the one that is there when it was published before.

    The first one of an installation, and those published with it, are news to nobody: they hold
    from their day. Any other is announced first. Raises: VersionChanged.
    """
    is_news = PolicyVersion.objects.filter(document=text.document, published_at__lt=now).exists()
    earliest = now + notice() if is_news and text.is_material else text.effective_at
    found, _ = PolicyVersion.objects.get_or_create(
        document=text.document,
        version=text.version,
        defaults={
            "sha256": text.sha256,
            "summary": text.summary,
            "is_material": text.is_material,
            "published_at": now,
            "effective_at": max(text.effective_at, earliest),
            "announced_at": None if is_news else now,
        },
    )
    if found.sha256 != text.sha256:
        raise VersionChanged(f"{text.document} {text.version} was published with another text")
    return found


def current(document: str, now: dt.datetime) -> PolicyVersion | None:
    """Return the version in force, None before the first one is."""
    rows = PolicyVersion.objects.filter(_told(), document=document, effective_at__lte=now)
    return rows.order_by("-effective_at", "-pk").first()


def in_force(now: dt.datetime) -> Mapping[str, str]:
    """Return the name of the version in force of each document that has one; one query."""
    rows = PolicyVersion.objects.filter(_told(), effective_at__lte=now)
    return dict(rows.order_by("effective_at", "pk").values_list("document", "version"))


def holds(version: PolicyVersion, now: dt.datetime) -> bool:
    """Tell whether a version's time has come."""
    is_told = not version.is_material or version.announced_at is not None
    return is_told and version.effective_at <= now


def coming(document: str, now: dt.datetime) -> Sequence[PolicyVersion]:
    """Return the versions of a document that are published and do not hold yet, oldest first."""
    rows = PolicyVersion.objects.filter(document=document)
    return list(rows.exclude(_told(), effective_at__lte=now).order_by("pk"))


def _told() -> Q:
    return Q(is_material=False) | Q(announced_at__isnull=False)


def history(document: str) -> Sequence[PolicyVersion]:
    """Return all published versions, newest first."""
    rows = PolicyVersion.objects.filter(document=document)
    return list(rows.order_by("-effective_at", "-pk"))
