"""How records end: each app declares its own, and they go in small steps.

An app names its module of expiries in its configuration (`expiries = "accounts.expiry"`); the run
(logs.removal) finds them there, so that no app has to know another one's tables.
"""

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Q, QuerySet

from accounts.models import ContactRequest, Invitation, Notification

STEP_ROWS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """How one class of record ends: which rows are older than a moment, and what becomes of them.

    `record` is the class's name in the table of retention. Rows are deleted; with `blank`, those
    fields take these values instead.
    """

    record: str
    rows: Callable[[dt.datetime], QuerySet[Any]]
    blank: Mapping[str, Any] = field(default_factory=dict)
    # The look-up of the account, where there is one: a legal hold keeps its rows.
    account: str = ""

    def due(self, before: dt.datetime, *, held: Collection[int]) -> QuerySet[Any]:
        """Return what ends: older than a moment, and of no account that is held."""
        rows = self.rows(before)
        if not self.account or not held:
            return rows
        return rows.filter(Q(**{f"{self.account}__isnull": True}) | ~self._is_held(held))

    def kept(self, before: dt.datetime, *, held: Collection[int]) -> int:
        """Count the rows that only a legal hold keeps."""
        if not self.account or not held:
            return 0
        return self.rows(before).filter(self._is_held(held)).count()

    def _is_held(self, held: Collection[int]) -> Q:
        return Q(**{f"{self.account}__in": held})

    def step(self, before: dt.datetime, *, held: Collection[int]) -> int:
        """End at most STEP_ROWS rows; return how many. Raises: DatabaseError."""
        rows = self.due(before, held=held)
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[:STEP_ROWS])
        if not ids:
            return 0
        found: QuerySet[Any] = QuerySet(rows.model).filter(pk__in=ids)
        if self.blank:
            found.update(**self.blank)
        else:
            found.delete()
        return len(ids)


def _answered(before: dt.datetime) -> QuerySet[ContactRequest]:
    """Closed before then; or answered, due before then, and never asked again."""
    return ContactRequest.objects.filter(
        Q(closed_at__lt=before)
        | Q(state=ContactRequest.State.ANSWERED, due_at__lt=before, closed_at=None)
    )


def _expired_sessions(before: dt.datetime) -> QuerySet[Any]:
    return _rows("sessions", "Session").filter(expire_date__lt=before)


def _idle_sessions(before: dt.datetime) -> QuerySet[Any]:
    age = dt.timedelta(seconds=settings.SESSION_COOKIE_AGE)
    return _rows("usersessions", "UserSession").filter(last_seen_at__lt=before - age)


def _rows(app: str, model: str) -> QuerySet[Any]:
    """Return the rows of another library's model, by name: the gateway imports none of these."""
    found: QuerySet[Any] = QuerySet(apps.get_model(app, model))
    return found


EXPIRIES = (
    Expiry(record="contact_requests", rows=_answered, account="account_id"),
    Expiry(
        record="invitations",
        rows=lambda before: Invitation.objects.filter(
            Q(expires_at__lt=before) | Q(accepted_at__lt=before) | Q(revoked_at__lt=before)
        ),
        account="account_id",
    ),
    # With their deliveries.
    Expiry(
        record="notifications",
        rows=lambda before: Notification.objects.filter(created_at__lt=before),
        account="account_id",
    ),
    Expiry(record="sessions", rows=_expired_sessions),
    Expiry(record="sessions", rows=_idle_sessions),
    Expiry(
        record="audit",
        rows=lambda before: _rows("admin", "LogEntry").filter(action_time__lt=before),
    ),
)
