"""Sends what notifications say, after their commit: by mail and text message.

A delivery is claimed before it is sent, so that of two workers one sends it. A worker that dies
in between leaves a claim that ends; the mail that is then sent again carries the same Message-ID,
by which mail programs know it. What no task took, a sweep does.
"""

import datetime as dt
import logging
from importlib import import_module
from smtplib import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)
from typing import Final

from allauth.account.models import EmailAddress
from celery import current_app
from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import translation
from kombu.exceptions import OperationalError

from accounts import notice_words, sms
from accounts.models import Delivery, Notification, User

logger = logging.getLogger(__name__)

SEND_NOTICE: Final = "accounts.send_notice"
_MINUTE: Final = dt.timedelta(minutes=1)
# After each failed try; the last one is followed by none.
WAITS: Final = tuple(minutes * _MINUTE for minutes in (1, 5, 15, 60, 240, 720, 1_440))
# A claim outlives every timeout of the sending itself.
CLAIM: Final = 5 * _MINUTE
SWEPT_MAX: Final = 200
# While a server is away, tasks leave all to the sweep, which asks it once at a time.
AWAY_S: Final = 30
NO_ADDRESS, NO_PHONE, REFUSED, AWAY = "no_address", "no_phone", "refused", "away"
State = Delivery.State


class NotSent(Exception):
    """A try failed: `code` says why, `is_final` that another one is of no use."""

    def __init__(self, code: str, *, is_final: bool) -> None:
        super().__init__(code)
        self.code, self.is_final = code, is_final


def hurry(notification: Notification) -> None:
    """Tell a worker after the commit; when nobody takes it, the sweep does."""
    pk = notification.pk
    transaction.on_commit(lambda: _enqueue(pk), robust=True)


def _enqueue(pk: int) -> None:
    try:
        current_app.send_task(SEND_NOTICE, args=[pk], retry=False, ignore_result=True)
    except (OperationalError, OSError):
        logger.warning("no broker: the sweep sends the notice", extra={"notification": pk})


def send_all(notification_pk: int, *, now: dt.datetime) -> int:
    """Send what of a notification is due; return how many ways were served."""
    rows = _due(now).filter(notification=notification_pk)
    return sum(
        _send(pk, now=now) == State.SENT
        for pk, way in list(rows.values_list("pk", "way"))
        if not cache.get(_away(way))
    )


def sweep(*, now: dt.datetime) -> int:
    """Send what is due and no task took; return how many. A queue is never the only memory."""
    sent = 0
    stopped: set[str] = set()
    rows = _due(now).order_by("next_try_at").values_list("pk", "way")
    for pk, way in list(rows[:SWEPT_MAX]):
        if way in stopped:
            continue
        state = _send(pk, now=now)
        sent += state == State.SENT
        if cache.get(_away(way)):  # each further one would wait for the same timeout
            stopped.add(way)
    return sent


def send_again(delivery: Delivery, *, now: dt.datetime) -> bool:
    """Make a finished delivery due again; False when it is under way, or has no other way.

    A mail goes where the data say now that it belongs, else to the user's own proven address.
    """
    is_mail = delivery.way == Delivery.Way.EMAIL
    address = _named_address(delivery.notification) if is_mail else ""
    rows = Delivery.objects.filter(pk=delivery.pk, state__in=[State.SENT, State.FAILED])
    with transaction.atomic():
        is_due = bool(
            rows.exclude(way=Delivery.Way.WEB).update(
                state=State.WAITING,
                attempts=0,
                next_try_at=now,
                done_at=None,
                error="",
                address=address,
            )
        )
        if is_due:
            hurry(delivery.notification)
    return is_due


def _named_address(notification: Notification) -> str:
    """Return the address that the data of an app name for a notice, "" for the user's own.

    An app's config says which module knows: `notice_addresses`, with `address_of(notification)`.
    """
    for config in apps.get_app_configs():
        if name := getattr(config, "notice_addresses", ""):
            found: str = import_module(name).address_of(notification)
            if found:
                return found
    return ""


def _due(now: dt.datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(state__in=[State.WAITING, State.SENDING], next_try_at__lte=now)


def _send(pk: int, *, now: dt.datetime) -> str:
    """Claim and send one; return its state, "" when somebody else has it."""
    claimed = _due(now).filter(pk=pk)
    if not claimed.update(state=State.SENDING, attempts=F("attempts") + 1, next_try_at=now + CLAIM):
        return ""
    row = Delivery.objects.select_related("notification__user").get(pk=pk)
    try:
        _hand_over(row)
    except NotSent as failure:
        return _note_failure(row, failure, now=now)
    except Exception:
        # A notice that cannot be written must not hold up the others: it is tried again.
        logger.exception("a notice could not be sent", extra={"delivery": pk})
        return _note_failure(row, NotSent("broken", is_final=False), now=now)
    _finish(row, State.SENT, error="", now=now)
    return State.SENT


def _note_failure(row: Delivery, failure: NotSent, *, now: dt.datetime) -> str:
    logger.warning("a notice was not sent", extra={"delivery": row.pk, "error": failure.code})
    if failure.code == AWAY:
        cache.set(_away(row.way), 1, AWAY_S)
    if failure.is_final or row.attempts > len(WAITS):
        _finish(row, State.FAILED, error=failure.code, now=now)
        return State.FAILED
    Delivery.objects.filter(pk=row.pk, state=State.SENDING).update(
        state=State.WAITING,
        next_try_at=now + WAITS[row.attempts - 1],
        error=failure.code,
    )
    return State.WAITING


def _finish(row: Delivery, state: str, *, error: str, now: dt.datetime) -> None:
    Delivery.objects.filter(pk=row.pk, state=State.SENDING).update(
        state=state, next_try_at=None, done_at=now, error=error, address=""
    )


def _away(way: str) -> str:
    return f"notices-away:{way}"


def _hand_over(row: Delivery) -> None:
    """Raises: NotSent."""
    user = row.notification.user
    with translation.override(notice_words.language_of(user)):
        words = notice_words.of(row.notification)
        if row.way == Delivery.Way.SMS:
            _text(user, words)
        else:
            _mail(row, words, to=row.address or _address(user))


def _address(user: User) -> str:
    """Return where a user's mail goes: an address that they proved. Raises: NotSent."""
    mine = EmailAddress.objects.filter(user=user, verified=True, primary=True)
    found: str | None = mine.values_list("email", flat=True).first()
    if not found:
        raise NotSent(NO_ADDRESS, is_final=True)
    return found


def _mail(row: Delivery, words: notice_words.Words, *, to: str) -> None:
    """Raises: NotSent."""
    mail = EmailMultiAlternatives(words.title, words.text, to=[to], headers=_headers(row))
    mail.attach_alternative(notice_words.html(words), "text/html")
    try:
        mail.send()
    except SMTPRecipientsRefused as error:
        codes = [code for code, _text in error.recipients.values()]
        raise NotSent(REFUSED, is_final=all(code >= 500 for code in codes)) from error
    except (SMTPAuthenticationError, SMTPSenderRefused) as error:
        raise NotSent(AWAY, is_final=False) from error  # it is ours to mend
    except SMTPResponseException as error:
        raise NotSent(REFUSED, is_final=False) from error
    except (OSError, SMTPException) as error:
        raise NotSent(AWAY, is_final=False) from error


def _headers(row: Delivery) -> dict[str, str]:
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip("> ") or "localhost"
    return {
        "Message-ID": f"<{row.public_id}@{domain}>",
        # Programs must not answer a program.
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }


def _text(user: User, words: notice_words.Words) -> None:
    """Raises: NotSent."""
    if not user.phone or user.phone_verified_at is None:
        raise NotSent(NO_PHONE, is_final=True)
    try:
        sms.send_notice(phone=user.phone, title=words.title)
    except sms.SmsFailed as error:
        code = AWAY if error.code == sms.NO_ANSWER else REFUSED
        raise NotSent(code, is_final=False) from error
