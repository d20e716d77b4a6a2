"""The inbox on the site: what a user was told, newest first, and what of it is unread."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet

from accounts.models import Notification, User

PAGE_ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of the inbox; `older` leads to the next one."""

    rows: Sequence[Notification]
    older: UUID | None


def unread(user: User) -> QuerySet[Notification, Any]:
    """Return the question how many notices are unread, for another query: NULL for none."""
    rows = _mine(user).filter(read_at=None).order_by()
    return rows.values("user").annotate(count=Count("pk")).values("count")


def find(user: User, *, before: UUID | None = None, rows_max: int = PAGE_ROWS) -> Found:
    """Return a page of a user's notices, newest first; an unknown `before` finds nothing."""
    rows = _mine(user)
    if before is not None:
        last = rows.filter(public_id=before).values_list("pk", flat=True).first()
        rows = rows.filter(pk__lt=last or 0)
    found = list(rows.order_by("-pk")[: rows_max + 1])
    has_more = len(found) > rows_max
    found = found[:rows_max]
    return Found(rows=found, older=found[-1].public_id if has_more else None)


def read(user: User, *, public_id: UUID, now: dt.datetime) -> Notification | None:
    """Mark a notice as read and return it; None when it is not the user's."""
    _mine(user).filter(public_id=public_id, read_at=None).update(read_at=now)
    return _mine(user).filter(public_id=public_id).first()


def read_all(user: User, *, now: dt.datetime) -> int:
    """Mark everything as read; return how many were not."""
    return _mine(user).filter(read_at=None).update(read_at=now)


def _mine(user: User) -> QuerySet[Notification]:
    return Notification.objects.filter(user=user, is_on_site=True)
