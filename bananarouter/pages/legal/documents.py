"""The legal documents: their texts' places, their versions, and how these are published."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from accounts import policies
from accounts.models import PolicyVersion
from bananarouter.pages.words import Words

Document = PolicyVersion.Document
LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a document; `sha256` is that of its texts in all languages (see `sha256`)."""

    number: str
    effective_on: dt.date
    sha256: str
    summary: Words
    # It changes what users agreed to: see accounts.policies.
    is_material: bool = True

    @property
    def effective_at(self) -> dt.datetime:
        """The first moment of that day, UTC."""
        return dt.datetime.combine(self.effective_on, dt.time(), tzinfo=dt.UTC)


# Newest first. A text that changes needs a version of its own: a test compares the first ones.
VERSIONS: Mapping[str, tuple[Version, ...]] = {
    Document.PRIVACY: (
        Version(
            number="4",
            effective_on=dt.date(2026, 11, 26),
            sha256="a98e08a25ff75326be1777ff0dc74af9b6fb6418968942e4c7a999112cbd9650",
            summary=_(
                "Says how debug mode, copies of your data, closing an account, the archive, holds, "
                "disclosures and notices work, now that they exist."
            ),
        ),
        Version(
            number="3",
            effective_on=dt.date(2026, 11, 26),
            sha256="0d12ccd88fb10dbab4b87a973773a49bf85efda8d2f579bf32137e8602d2016c",
            summary=_("Says what is kept of payments, now that they are taken."),
        ),
        Version(
            number="2",
            effective_on=dt.date(2026, 11, 26),
            sha256="ed8209ed202860c7bc4eb28eda82cfc18e2a134a115907312e3ca280ca124045",
            summary=_("Names what is kept for trial credit, invitations and the playground."),
        ),
        Version(
            number="1",
            effective_on=dt.date(2026, 11, 26),
            sha256="d0d38355ca6e39a6d5288857e281d6993f6fdfe3b4cf8bd4762fb3398a6005f1",
            summary=_("First version."),
        ),
    ),
    Document.TERMS: (
        Version(
            number="2",
            effective_on=dt.date(2026, 11, 26),
            sha256="09082b1e9f1edd8cce64b9d108404b831c3446d7e2171b099cc55b9c8ce79a71",
            summary=_("Rules for payments and refunds."),
        ),
        Version(
            number="1",
            effective_on=dt.date(2026, 11, 26),
            sha256="cc76616e5e138befdd5e29abef4bf6d39c5a6ae170491537457d532c0a1aedc4",
            summary=_("First version."),
        ),
    ),
    Document.ACCEPTABLE_USE: (
        Version(
            number="1",
            effective_on=dt.date(2026, 11, 26),
            sha256="72ad3d5129011e21679b097918d6472f1942dbf4a156e43b5a83165f97354b14",
            summary=_("First version."),
        ),
    ),
}


def template(document: str, version: str, language: str) -> str:
    """Return the template of a text; what is not Chinese reads English."""
    folder = "zh" if language.startswith("zh") else "en"
    return f"legal/{folder}/{document}/{version}.html"


def sha256(document: str, version: str) -> str:
    """Return the fingerprint of a version's texts as they stand in the repository."""
    digest = hashlib.sha256()
    for language in LANGUAGES:
        path = Path(settings.BASE_DIR) / "templates" / template(document, version, language)
        digest.update(path.read_bytes())
    return digest.hexdigest()


def version_of(document: str, number: str) -> Version | None:
    """Return a version of this program's, None for one that it does not know."""
    return next((one for one in VERSIONS[document] if one.number == number), None)


def summary(row: PolicyVersion) -> Words:
    """Say in the reader's language what a published version changed."""
    known = version_of(row.document, row.version) if row.document in VERSIONS else None
    return known.summary if known else row.summary


def waiting() -> list[tuple[str, Version]]:
    """Return the versions that are not published yet, the oldest of each document first."""
    published = set(PolicyVersion.objects.values_list("document", "version"))
    return [
        (document, version)
        for document, versions in VERSIONS.items()
        for version in reversed(versions)
        if (document, version.number) not in published
    ]


def publish(document: str, version: Version, *, now: dt.datetime) -> PolicyVersion:
    """Publish one version. Raises: policies.VersionChanged."""
    with translation.override("en"):
        summary_text = str(version.summary)
    text = policies.Text(
        document=document,
        version=version.number,
        sha256=version.sha256,
        summary=summary_text,
        is_material=version.is_material,
        effective_at=version.effective_at,
    )
    return policies.publish(text, now=now)


@transaction.atomic
def publish_all(*, now: dt.datetime) -> None:
    """Publish every version that is not yet. Raises: policies.VersionChanged."""
    for document, versions in VERSIONS.items():
        for version in reversed(versions):
            publish(document, version, now=now)


@transaction.atomic
def publish_at_start(*, now: dt.datetime) -> None:
    """Publish what needs no decision: a new installation's versions, and changes of form.

    A material version of an installation with users waits for staff, who see first whom it is
    told to. Raises: policies.VersionChanged.
    """
    if not PolicyVersion.objects.exists():
        publish_all(now=now)
        return
    pending = {(document, version.number) for document, version in waiting() if version.is_material}
    for document, versions in VERSIONS.items():
        for version in reversed(versions):
            if (document, version.number) in pending:
                break  # what comes after it waits with it
            publish(document, version, now=now)
