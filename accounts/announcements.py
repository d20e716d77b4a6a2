"""Tells everybody of a new version of a legal document, before it holds."""

import datetime as dt

from django.db import transaction
from django.db.models import Q

from accounts import notifications, policies
from accounts.models import PolicyVersion, User
from accounts.notifications import Notice

USERS_MAX = 200  # in one transaction


def announce_due(*, now: dt.datetime) -> int:
    """Tell those who were not told yet, of every version that is news; return how many.

    Killed in between it goes on where it was; nobody is told twice. Who signs up while a version
    is on its way is told as well.
    """
    rows = PolicyVersion.objects.filter(Q(announced_at=None) | Q(effective_at__gt=now))
    return sum(_announce(pk, now=now) for pk in rows.order_by("pk").values_list("pk", flat=True))


def _announce(pk: int, *, now: dt.datetime) -> int:
    told = 0
    while True:
        with transaction.atomic():
            version = PolicyVersion.objects.select_for_update().get(pk=pk)
            users = list(
                User.objects.filter(pk__gt=version.told_up_to, is_active=True).order_by("pk")[
                    :USERS_MAX
                ]
            )
            if not users:
                _finish(version, now=now)
                return told
            told += notifications.tell_many(users=users, notice=notice_of(version), now=now)
            version.told_up_to = users[-1].pk
            version.save(update_fields=["told_up_to"])


def _finish(version: PolicyVersion, *, now: dt.datetime) -> None:
    """Note that everybody was told; a material version holds only so long after that."""
    if version.announced_at is not None:
        return
    version.announced_at = now
    if version.is_material:
        version.effective_at = max(version.effective_at, now + policies.notice())
    version.save(update_fields=["announced_at", "effective_at"])


def readers() -> int:
    """Return how many users would be told."""
    return User.objects.filter(is_active=True).count()


def notice_of(version: PolicyVersion) -> Notice:
    """Return what users are told of a version."""
    return Notice(
        kind="policy_change",
        key=f"policy:{version.document}:{version.version}",
        name="policy_changed",
        facts={
            "document": version.document,
            "version": version.version,
            # The day by which it holds at the earliest; the page says which day it is.
            "day": f"{version.effective_at:%Y-%m-%d}",
            "summary": version.summary,
            "is_material": version.is_material,
        },
        path=f"/{version.document.replace('_', '-')}/{version.version}",
    )
