"""What is told of debug mode: that it was switched on for a key, and that staff read what it kept.

Rows say what was told and a sweep tells it: the gateway knows debug mode, and reaches no queue.
"""

import datetime as dt
from typing import Final

from django.db import transaction

from accounts import alerts, notifications
from accounts.notifications import Notice
from logs.models import DebugSession, DebugView

SWEPT_MAX: Final = 200


def sweep(*, now: dt.datetime) -> int:
    """Tell of what was switched on and read since the last time; return how many were told."""
    begun = DebugSession.objects.filter(is_told=False).select_related("api_key__account", "user")
    read = DebugView.objects.filter(is_told=False).select_related(
        "grant__session__api_key__account", "grant__session__user", "staff"
    )
    told = sum(_tell_begun(session, now=now) for session in begun.order_by("pk")[:SWEPT_MAX])
    return told + sum(_tell_read(view, now=now) for view in read.order_by("pk")[:SWEPT_MAX])


@transaction.atomic
def _tell_begun(session: DebugSession, *, now: dt.datetime) -> int:
    """Tell who switched it on, and those who manage the account's keys: a session is enough."""
    if not DebugSession.objects.filter(pk=session.pk, is_told=False).update(is_told=True):
        return 0
    notice = _notice(
        session,
        name="debug_on",
        event=f"debug-on:{session.pk}",
        by=session.user.get_full_name(),
        at=_minute(session.started_at),
        until=_minute(session.until),
    )
    return alerts.tell_managers(session.api_key, notice, now=now)


@transaction.atomic
def _tell_read(view: DebugView, *, now: dt.datetime) -> int:
    """Tell the owner of the first reading by each of the staff; the page lists every one."""
    if not DebugView.objects.filter(pk=view.pk, is_told=False).update(is_told=True):
        return 0
    session = view.grant.session
    notice = _notice(
        session,
        name="debug_read",
        event=f"debug-read:{view.grant_id}:{view.staff_id}",
        by=view.staff.get_full_name() if view.staff else "",
        at=_minute(view.viewed_at),
        until=_minute(view.grant.until),
    )
    told = notifications.tell(
        user=session.user, notice=notice, now=now, account=session.api_key.account
    )
    return int(told)


def _notice(session: DebugSession, *, name: str, event: str, **facts: notifications.Fact) -> Notice:
    key = session.api_key
    about = {"key_name": key.name, "last_four": key.last_four, "account": key.account.name}
    return Notice(
        kind=alerts.SECURITY,
        key=event,
        name=name,
        facts={**about, **facts},
        path=f"/keys/{key.pk}/debug",
    )


def _minute(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M}"
