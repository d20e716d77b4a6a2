"""System checks: every vendor file is whole, and its policies were read lately."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's own names
from django.utils import timezone

from routing import vendor_files


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


ALL: tuple[Callable[..., list[CheckMessage]], ...] = (
    vendor_files_are_whole,
    vendor_files_are_reviewed,
)
