"""Legal holds: what is known of an account stays until a day, because two of staff said so."""

import datetime as dt
import uuid

from django.db import connection
from django.db.models import QuerySet

from accounts.models import Account
from logs.models import HeldRequest, LegalHold, RequestLog

DAYS_MAX = 730
STEP_ROWS = 2_000
_FIELDS = [field.attname for field in RequestLog._meta.concrete_fields]


class NoHold(Exception):
    """The hold cannot be made or changed so; `rule` says why.

    account: no such account. reason: none was given. end: not within DAYS_MAX days from now. same:
    who asked for it cannot approve it. state: it is approved, or over, already.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def ask(
    *, account_id: int, reason: str, ends_at: dt.datetime, actor: str, now: dt.datetime
) -> LegalHold:
    """Ask for a hold; it keeps nothing before somebody else approves it. Raises: NoHold."""
    if not Account.objects.filter(pk=account_id).exists():
        raise NoHold("account")
    if not reason.strip():
        raise NoHold("reason")
    if not now < ends_at <= now + dt.timedelta(days=DAYS_MAX):
        raise NoHold("end")
    return LegalHold.objects.create(
        account_id=account_id,
        reason=reason.strip(),
        requested_by=actor,
        requested_at=now,
        ends_at=ends_at,
    )


def approve(pk: int, *, actor: str, now: dt.datetime) -> None:
    """Put a hold in force. Raises: NoHold; "same" for whoever asked for it."""
    waiting = LegalHold.objects.filter(pk=pk, approved_at=None, ended_at=None, ends_at__gt=now)
    if waiting.filter(requested_by=actor).exists():
        raise NoHold("same")
    if not waiting.update(approved_by=actor, approved_at=now):
        raise NoHold("state")


def end(pk: int, *, actor: str, now: dt.datetime) -> None:
    """End a hold before its time, or withdraw one that waits. Raises: NoHold."""
    running = LegalHold.objects.filter(pk=pk, ended_at=None, ends_at__gt=now)
    if not running.update(ended_by=actor, ended_at=now):
        raise NoHold("state")


def in_force(*, now: dt.datetime) -> QuerySet[LegalHold]:
    """Return the holds that keep rows now; one whose day has come ends by itself."""
    return LegalHold.objects.filter(approved_at__lte=now, ended_at=None, ends_at__gt=now)


def held_accounts(*, now: dt.datetime) -> frozenset[int]:
    """Return the accounts whose records no run may end."""
    return frozenset(in_force(now=now).values_list("account_id", flat=True))


def keep(*, before: uuid.UUID, held: frozenset[int]) -> int:
    """Copy held accounts' requests with ids before one into the table that no day ends.

    In the caller's transaction, before those rows go; each row once, however often this is called.
    Returns how many are new.
    """
    if not held:
        return 0
    names = ", ".join(_FIELDS)
    places = ", ".join(["%s"] * len(held))
    sql = (
        f"INSERT INTO {HeldRequest._meta.db_table} ({names}) "  # noqa: S608 - names of ours
        f"SELECT {names} FROM {RequestLog._meta.db_table} "
        f"WHERE request_id < %s AND account_id IN ({places}) ON CONFLICT (request_id) DO NOTHING"
    )
    first = RequestLog._meta.pk.get_db_prep_value(before, connection)
    with connection.cursor() as cursor:
        cursor.execute(sql, [first, *sorted(held)])
        return int(cursor.rowcount)


def over(*, held: frozenset[int]) -> QuerySet[HeldRequest]:
    """Return kept rows of accounts that no hold names any more."""
    return HeldRequest.objects.exclude(account_id__in=held)


def release(*, held: frozenset[int]) -> int:
    """Destroy a step of the rows that no hold keeps any more; return how many."""
    ids = list(over(held=held).order_by("request_id").values_list("pk", flat=True)[:STEP_ROWS])
    HeldRequest.objects.filter(pk__in=ids).delete()
    return len(ids)
