"""What people ask of the operator: tracked requests with due dates, until they are answered."""

import datetime as dt
import uuid
from typing import TypedDict, Unpack

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import translation

from accounts.models import Account, ContactMessage, ContactRequest, User

Kind = ContactRequest.Kind
State = ContactRequest.State

# In days. Rights: one month by the GDPR (Art. 12), 15 working days are customary under the PIPL.
DUE = {
    Kind.QUESTION: 5,
    Kind.ACCESS: 30,
    Kind.CORRECTION: 30,
    Kind.DELETION: 30,
    Kind.ABUSE: 2,
    Kind.SECURITY: 1,
    Kind.DISPUTE: 7,
}
# Rights over an account's data: not exercised before the sender proved to hold the account.
RIGHTS = frozenset({Kind.ACCESS, Kind.CORRECTION, Kind.DELETION})
TEXT_CHARS_MAX = 10_000
SUBJECT_CHARS_MAX = 200
# A conversation longer than this is not one that this page should carry.
MESSAGES_MAX = 200


class RequestClosed(Exception):
    """The request has ended: who wants more opens another one."""


class TooMuch(ValueError):
    """A text or a conversation above its limit."""


class AlreadyAsked(Exception):
    """The user has asked for the same, in another request that is not closed."""


class About(TypedDict, total=False):
    """What a request may name besides its text."""

    sender_name: str

    user: User | None
    account: Account | None
    request_id: uuid.UUID | None
    proven: bool
    public_id: uuid.UUID | None
    mail_id: str | None


def open_request(
    *,
    kind: str,
    source: str,
    email: str,
    subject: str,
    text: str,
    now: dt.datetime,
    **about: Unpack[About],
) -> ContactRequest:
    """Open a tracked request; return the one that is there when the same is asked again.

    The same form or mail again (`public_id`, `mail_id`) changes nothing. The same matter again (a
    dispute of an API request; a user's access or deletion request that is not closed) adds new
    words, and opens a closed dispute anew. `proven`: the sender just showed to hold the account.
    Raises: TooMuch.
    """
    _measure(text)
    proven = about.pop("proven", False)
    public_id = about.pop("public_id", None)
    opened = ContactRequest(
        kind=kind,
        source=source,
        email=email,
        subject=subject[:SUBJECT_CHARS_MAX],
        language=translation.get_language() or "en",
        due_at=_due(kind, now),
        proven_at=now if proven else None,
        **about,
    )
    if public_id is not None:
        opened.public_id = public_id
    try:
        with transaction.atomic():
            opened.save(force_insert=True)
            opened.messages.create(text=text, author=opened.user)
    except IntegrityError:
        found, is_resent = _same(opened)
        if found is None:
            raise
        if is_resent:
            return found
        return _ask_again(found, text=text, proven=proven, now=now)
    return opened


def _same(asked: ContactRequest) -> tuple[ContactRequest | None, bool]:
    """Find what is asked again, and whether it is the very same form or mail."""
    rows = ContactRequest.objects.order_by("pk")
    sent = Q(public_id=asked.public_id)
    if asked.mail_id is not None:
        sent |= Q(mail_id=asked.mail_id)
    if found := rows.filter(sent).first():
        return found, True
    if asked.kind == Kind.DISPUTE:
        rows = rows.filter(account=asked.account_id, request_id=asked.request_id)
    else:
        rows = rows.filter(user=asked.user_id).exclude(state=State.CLOSED)
    return rows.filter(kind=asked.kind).first(), False


@transaction.atomic
def _ask_again(
    request: ContactRequest, *, text: str, proven: bool, now: dt.datetime
) -> ContactRequest:
    rows = ContactRequest.objects.filter(pk=request.pk)
    if proven:
        rows.filter(proven_at=None).update(proven_at=now)
    again = {"state": State.OPEN, "closed_at": None, "due_at": _due(request.kind, now)}
    rows.filter(state=State.CLOSED).update(**again)
    request.refresh_from_db()
    said = request.messages.filter(is_from_staff=False).order_by("-pk").first()
    if said is None or said.text != text:
        add_message(request, text=text, now=now, author=request.user)
    return request


@transaction.atomic
def add_message(
    request: ContactRequest,
    *,
    text: str,
    now: dt.datetime,
    author: User | None = None,
    is_from_staff: bool = False,
    mail_id: str | None = None,
) -> ContactMessage:
    """Add a message; one of the sender puts an answered request back on the staff's list.

    A mail is added once, however often it is delivered. Raises: RequestClosed; TooMuch.
    """
    _measure(text)
    rows = ContactRequest.objects.filter(pk=request.pk).exclude(state=State.CLOSED)
    if is_from_staff:
        is_there = rows.exists()
    else:
        # Written in any case, so that it also locks the row against a simultaneous close.
        rows.filter(state=State.ANSWERED).update(due_at=_due(request.kind, now))
        is_there = bool(rows.update(state=State.OPEN))
    if not is_there:
        raise RequestClosed
    if mail_id is not None and (seen := request.messages.filter(mail_id=mail_id).first()):
        return seen
    if not is_from_staff and request.messages.filter(is_from_staff=False).count() >= MESSAGES_MAX:
        raise TooMuch
    message = request.messages.create(
        text=text, author=author, is_from_staff=is_from_staff, mail_id=mail_id
    )
    request.refresh_from_db(fields=["state", "due_at"])
    return message


def has_mail(mail_id: str) -> bool:
    """Tell whether a mail is part of some request already."""
    return (
        ContactRequest.objects.filter(mail_id=mail_id).exists()
        or ContactMessage.objects.filter(mail_id=mail_id).exists()
    )


@transaction.atomic
def answer(request: ContactRequest, *, text: str, author: User, now: dt.datetime) -> ContactMessage:
    """Answer a request as staff. Raises: RequestClosed; TooMuch."""
    rows = ContactRequest.objects.filter(pk=request.pk).exclude(state=State.CLOSED)
    if not rows.update(state=State.ANSWERED):
        raise RequestClosed
    message = add_message(request, text=text, now=now, author=author, is_from_staff=True)
    request.refresh_from_db(fields=["state"])
    return message


def refile(request: ContactRequest, *, kind: str) -> None:
    """Give a request the kind that it really is; it is due as if it had come as that.

    Raises: RequestClosed; AlreadyAsked.
    """
    rows = ContactRequest.objects.filter(pk=request.pk).exclude(state=State.CLOSED)
    try:
        with transaction.atomic():
            if not rows.update(kind=kind, due_at=_due(kind, request.created_at)):
                raise RequestClosed
    except IntegrityError as error:
        raise AlreadyAsked from error
    request.refresh_from_db(fields=["kind", "due_at"])


def close(request: ContactRequest, *, now: dt.datetime) -> bool:
    """Close a request as staff; False if it was closed."""
    return _end(request, now=now)


def withdraw(request: ContactRequest, *, now: dt.datetime) -> bool:
    """Close a request because its sender no longer asks for it; False if it was closed."""
    return _end(request, now=now)


def prove(request: ContactRequest, *, user: User, now: dt.datetime) -> ContactRequest:
    """Record that the sender holds the account of `user`; return the request that now stands.

    When the user has asked for the same already, that one goes on with the words of this one.
    Raises: RequestClosed.
    """
    rows = ContactRequest.objects.filter(pk=request.pk).exclude(state=State.CLOSED)
    try:
        with transaction.atomic():
            if not rows.update(user=user, proven_at=now):
                raise RequestClosed
    except IntegrityError:
        return _join(request, user=user, now=now)
    request.refresh_from_db()
    return request


@transaction.atomic
def _join(request: ContactRequest, *, user: User, now: dt.datetime) -> ContactRequest:
    rows = ContactRequest.objects.filter(kind=request.kind, user=user).exclude(state=State.CLOSED)
    first = rows.get()
    rows.filter(pk=first.pk, proven_at=None).update(proven_at=now)
    request.messages.update(request=first)
    _end(request, now=now)
    first.refresh_from_db()
    return first


def _end(request: ContactRequest, *, now: dt.datetime) -> bool:
    rows = ContactRequest.objects.filter(pk=request.pk).exclude(state=State.CLOSED)
    is_ended = bool(rows.update(state=State.CLOSED, closed_at=now))
    request.refresh_from_db(fields=["state", "closed_at"])
    return is_ended


def _due(kind: str, now: dt.datetime) -> dt.datetime:
    return now + dt.timedelta(days=DUE[Kind(kind)])


def _measure(text: str) -> None:
    if len(text) > TEXT_CHARS_MAX:
        raise TooMuch
