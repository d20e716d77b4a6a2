"""System checks: every vendor file is whole, its policies were read lately and are known."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's own names
from django.db import DatabaseError
from django.utils import timezone

from routing import vendor_files
from routing.models import Channel
from routing.vendor_files import Vendor


def vendor_files_are_whole(**_kwargs: Any) -> list[CheckMessage]:
    """Return an error for the first vendor file that cannot be used."""
    try:
        vendor_files.all_vendors()
    except vendor_files.BadVendorFile as error:
        return [
            Error(
                str(error),
                hint="Every vendor states its policies, or that they are unknown.",
                id="routing.E001",
            )
        ]
    return []


def vendor_files_are_reviewed(**_kwargs: Any) -> list[CheckMessage]:
    """Return a warning for each vendor whose policies were read too long ago."""
    return [] if vendor_files_are_whole() else reviewed(timezone.now().date())


def reviewed(today: dt.date) -> list[CheckMessage]:
    """Return a warning for each vendor that was reviewed over 180 days before `today`."""
    oldest = today - dt.timedelta(days=vendor_files.REVIEW_DAYS_MAX)
    return [
        Warning(
            f"{vendor.slug}.toml was reviewed on {vendor.reviewed_on}, over "
            f"{vendor_files.REVIEW_DAYS_MAX} days ago.",
            hint="Read the vendor's policies again, then set reviewed_on.",
            id="routing.W001",
        )
        for vendor in vendor_files.all_vendors().values()
        if vendor.reviewed_on < oldest
    ]


def policies_are_known(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Return a warning for each vendor that requests may reach while its policy is unknown.

    It asks the database, so it runs where a database is checked: `check --database default`.
    """
    if not databases or vendor_files_are_whole():
        return []
    open_channels = Channel.objects.filter(is_enabled=True)
    try:
        names = set(open_channels.values_list("vendor", flat=True))
    except DatabaseError:  # before its first migration
        return []
    return [
        Warning(
            f"{vendor.slug} is open, and nothing is known of its {', '.join(missing)}.",
            hint=f"State what it says in routing/vendors/{vendor.slug}.toml.",
            id="routing.W002",
        )
        for vendor in map(vendor_files.get, sorted(names))
        if (missing := _unknown(vendor))
    ]


def _unknown(vendor: Vendor) -> list[str]:
    told = {
        "privacy policy": vendor.privacy_url,
        "terms": vendor.terms_url,
        "training": vendor.trains,
        "retention": vendor.retention,
    }
    return [name for name, value in told.items() if value == "unknown"]


ALL: tuple[Callable[..., list[CheckMessage]], ...] = (
    vendor_files_are_whole,
    vendor_files_are_reviewed,
)
