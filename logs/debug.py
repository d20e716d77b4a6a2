"""Debug mode: switched on for one key by who made it, ended in a day at most, then destroyed.

Ending destroys the session's data key first, then its rows: from the first step on nothing that
was kept can be read, even if the second one fails.
"""

import datetime as dt
import logging
from collections.abc import Collection
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from accounts import consents, keys
from accounts.models import ApiKey, Consent, Membership, User
from accounts.timeids import uuid7_at
from logs import debug_consent, debug_keys
from logs.models import DebugCapture, DebugGrant, DebugSession

logger = logging.getLogger(__name__)

MINUTES_DEFAULT = 60
MINUTES_MAX = 24 * 60
# A key whose session is in no database is a stranger's once it is older than any start takes.
STRANGER_S = 600.0
# When, by whom, under which text: kept for as long as security logs are. Never content.
KEPT = dt.timedelta(days=365)

End = DebugSession.End


class NotYours(Exception):
    """Only who made a key may have it captured."""


class NotOffered(Exception):
    """This key has no debug mode: it is a demo or management key, or works no more."""


class TextChanged(Exception):
    """Another text holds than the one that was agreed to."""


class CannotStart(Exception):
    """The data key cannot be kept, so nothing may be captured."""


class AlreadyOn(Exception):
    """Debug mode of the key is on: `session`."""

    def __init__(self, session: DebugSession) -> None:
        super().__init__(str(session.pk))
        self.session = session


def start(
    *, key: ApiKey, user: User, minutes: int, agreed_to: str, now: dt.datetime
) -> DebugSession:
    """Switch debug mode on for a key: who made it agrees to a version of the text.

    Raises: NotYours; NotOffered; TextChanged; AlreadyOn; ValueError for a duration that is not
    between a minute and a day; CannotStart, and then nothing is on.
    """
    if not 1 <= minutes <= MINUTES_MAX:
        raise ValueError("debug mode is on for a minute to a day")
    if key.created_by_id != user.pk:
        raise NotYours
    if agreed_to != debug_consent.VERSION:
        raise TextChanged
    if not is_offered(key, now=now):
        raise NotOffered
    session = DebugSession(
        id=uuid7_at(now),
        api_key=key,
        user=user,
        consent_version=debug_consent.VERSION,
        consent_sha256=debug_consent.SHA256,
        started_at=now,
        minutes=minutes,
    )
    try:
        debug_keys.make(session.pk)
    except debug_keys.KeyNotKept as error:
        raise CannotStart from error
    try:
        _open(session, now=now)
    except BaseException:
        debug_keys.destroy(session.pk)
        raise
    key.refresh_from_db(fields=["debug_session", "debug_until"])
    return session


@transaction.atomic
def _open(session: DebugSession, *, now: dt.datetime) -> None:
    try:
        with transaction.atomic():
            session.save(force_insert=True)
    except IntegrityError as error:
        found = running(session.api_key_id)
        if found is None:
            raise
        raise AlreadyOn(found) from error
    # The version is the session's own: the text is no legal document (logs/debug_consent.py).
    consents.give(user=session.user, purpose=Consent.Purpose.DEBUG, version=None, now=now)
    keys.set_debug(session.api_key_id, session=session.pk, until=session.until)


def is_offered(key: ApiKey, *, now: dt.datetime) -> bool:
    """Tell whether a key calls models for somebody in particular, and still works."""
    is_over = key.expires_at is not None and key.expires_at <= now
    is_own = key.purpose == ApiKey.Purpose.API and not key.is_demo and not key.is_management
    return is_own and not is_over and key.disabled_at is None


def running(key_id: int) -> DebugSession | None:
    """Return the session of a key that has not been ended."""
    return DebugSession.objects.filter(api_key=key_id, ended_at=None).first()


def stop(session: DebugSession, *, now: dt.datetime) -> bool:
    """Switch debug mode off and destroy what it kept; False if that was done already.

    Raises: OSError when the key's file cannot be destroyed; rows are gone then all the same.
    """
    if not _end(session, End.STOPPED, now=now):
        return False
    if not DebugSession.objects.filter(user=session.user_id, ended_at=None).exists():
        consents.withdraw(user=session.user, purpose=Consent.Purpose.DEBUG, now=now)
    return True


def _end(session: DebugSession, end: End, *, now: dt.datetime) -> bool:
    try:
        debug_keys.destroy(session.pk)
    finally:
        is_first = _close(session, end, now=now)
    return is_first


@transaction.atomic
def _close(session: DebugSession, end: End, *, now: dt.datetime) -> bool:
    rows = DebugSession.objects.filter(pk=session.pk, ended_at=None)
    is_first = bool(rows.update(ended_at=now, end=end))
    DebugCapture.objects.filter(session=session.pk).delete()
    DebugGrant.objects.filter(session=session.pk, revoked_at=None).update(revoked_at=now)
    if ApiKey.objects.filter(pk=session.api_key_id, debug_session=session.pk).exists():
        keys.set_debug(session.api_key_id, session=None, until=None)
    return is_first


def forget(user_id: int) -> int:
    """Destroy what a user had captured, and that it was; return how many sessions there were.

    Raises: OSError when a key's file cannot be destroyed; its rows are gone then all the same.
    """
    rows = DebugSession.objects.filter(user=user_id)
    try:
        for session in rows.filter(pk__in=debug_keys.standing()):
            debug_keys.destroy(session.pk)
    finally:
        with transaction.atomic():
            for session in rows.filter(ended_at=None):
                keys.set_debug(session.api_key_id, session=None, until=None)
            count = rows.count()
            rows.delete()
    return count


def sweep(*, now: dt.datetime) -> int:
    """End every session whose time, key, member or data key is over; return how many ended.

    Destroys keys that no session has any more, too. May run anywhere, any number of times.
    """
    place = Membership.objects.filter(account=OuterRef("api_key__account"), user=OuterRef("user"))
    rows = DebugSession.objects.filter(ended_at=None).select_related("api_key")
    ended = 0
    for session in rows.annotate(is_member=Exists(place)):
        end = _due(session, is_member=session.is_member, now=now)
        if end is not None:
            ended += _end_if_it_lets(session, end, now=now)
    _destroy_strays(now=now)
    DebugSession.objects.filter(ended_at__lt=now - KEPT).delete()
    return ended


def _due(session: DebugSession, *, is_member: bool, now: dt.datetime) -> End | None:
    key = session.api_key
    if now >= session.until:
        return End.EXPIRED
    if not is_offered(key, now=now) or key.created_by_id != session.user_id:
        return End.KEY
    if not is_member:
        return End.MEMBER
    try:
        debug_keys.load(session.pk)
    except debug_keys.KeyGone:
        return End.LOST
    return None


def _end_if_it_lets(session: DebugSession, end: End, *, now: dt.datetime) -> bool:
    try:
        return _end(session, end, now=now)
    except OSError as error:  # the next sweep tries again: the key is a stray by then
        logger.warning("debug key not destroyed", extra={"error": type(error).__name__})
        return False


def _destroy_strays(*, now: dt.datetime) -> None:
    """Destroy keys whose sessions have ended, or are in no database (that was restored)."""
    standing = debug_keys.standing()
    if not standing:
        return
    known = DebugSession.objects.filter(pk__in=standing).values_list("pk", "ended_at")
    ended_at: dict[UUID, dt.datetime | None] = dict(known)
    for session_id, written_at in standing.items():
        is_old = now.timestamp() - written_at > STRANGER_S
        if ended_at.get(session_id) or (session_id not in ended_at and is_old):
            _destroy_if_it_lets(session_id)


def _destroy_if_it_lets(session_id: UUID) -> None:
    try:
        debug_keys.destroy(session_id)
    except OSError as error:  # the next sweep tries again
        logger.warning("debug key not destroyed", extra={"error": type(error).__name__})


def captured(request_ids: Collection[UUID], *, user: User) -> set[UUID]:
    """Return those of some requests whose content is kept for a user."""
    rows = DebugCapture.objects.filter(
        session__user=user, session__ended_at=None, request_id__in=request_ids
    )
    return set(rows.values_list("request_id", flat=True))


class GrantNotPossible(Exception):
    """The session has ended: there is nothing to read."""


@transaction.atomic
def grant(session: DebugSession, *, user: User, minutes: int, now: dt.datetime) -> DebugGrant:
    """Let staff read what a session keeps, for some minutes; an earlier grant ends.

    Raises: NotYours; GrantNotPossible; ValueError for more than a day.
    """
    if not 1 <= minutes <= MINUTES_MAX:
        raise ValueError("staff may read for a minute to a day")
    if session.user_id != user.pk:
        raise NotYours
    locked = DebugSession.objects.select_for_update().get(pk=session.pk)
    if not locked.is_running(now):
        raise GrantNotPossible
    revoke(locked, now=now)
    return DebugGrant.objects.create(session=locked, given_at=now, minutes=minutes)


def revoke(session: DebugSession, *, now: dt.datetime) -> bool:
    """End the grant of a session, at once; False if there was none."""
    rows = DebugGrant.objects.filter(session=session.pk, revoked_at=None)
    return bool(rows.update(revoked_at=now))


def granted(session: DebugSession, *, now: dt.datetime) -> DebugGrant | None:
    """Return the grant under which staff may read now."""
    found = DebugGrant.objects.filter(session=session.pk, revoked_at=None).first()
    return found if found is not None and found.is_running(now) else None
