"""Mail to the contact address: who may deliver it here, and what of it becomes a request.

Whatever comes in was written by strangers: every limit is named, nothing is stored but text, and
programs that answer by themselves (out of office, bounces, lists) open nothing.
"""

import datetime as dt
import hashlib
import hmac
from enum import StrEnum

from django.conf import settings

from accounts import contact, contact_links, contact_mail, mail_text
from accounts.models import ContactRequest

MAIL_BYTES_MAX = 1 << 20
# How far the clock of who delivers may be off; an older signature is a replay.
REPLAY_WINDOW_S = 300
# Addresses that say what a mail is about.
KINDS = {"abuse": contact.Kind.ABUSE, "security": contact.Kind.SECURITY}


class NotSigned(Exception):
    """The mail was not signed by who may deliver it, or too long ago."""


class TooLarge(ValueError):
    """The mail is larger than MAIL_BYTES_MAX."""


class Outcome(StrEnum):
    """What became of a mail."""

    OPENED = "opened"
    ADDED = "added"
    KNOWN = "known"  # delivered before
    IGNORED = "ignored"  # sent by a program, or by nobody who can be answered


def sign(body: bytes, *, timestamp: int) -> str:
    """Return the signature of a delivery: `t=<Unix time>,v1=<hex HMAC-SHA256 of "t.body">`."""
    return f"t={timestamp},v1={_mac(body, str(timestamp))}"


def check(body: bytes, *, signature: str, now: dt.datetime) -> None:
    """Let a delivery pass that the secret signed just now. Raises: NotSigned."""
    fields = dict(part.split("=", 1) for part in signature.split(",") if "=" in part)
    stamp, given = fields.get("t", ""), fields.get("v1", "")
    if not settings.INBOUND_MAIL_SECRET or not (stamp.isascii() and stamp.isdigit()):
        raise NotSigned
    if not hmac.compare_digest(_mac(body, stamp).encode(), given.encode("utf-8", "replace")):
        raise NotSigned
    if abs(now.timestamp() - int(stamp)) > REPLAY_WINDOW_S:
        raise NotSigned


def _mac(body: bytes, stamp: str) -> str:
    secret = settings.INBOUND_MAIL_SECRET.encode()
    return hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def receive(raw: bytes, *, now: dt.datetime) -> Outcome:
    """Open a request from a mail, or add it to the one that its subject names; once for each mail.

    Raises: TooLarge; mail_text.Unreadable.
    """
    if len(raw) > MAIL_BYTES_MAX:
        raise TooLarge
    mail = mail_text.read(raw)
    if mail.is_automatic or not mail.sender or mail.sender in _own_addresses():
        return Outcome.IGNORED
    if contact.has_mail(mail.mail_id):
        return Outcome.KNOWN
    if (request := contact_links.in_subject(mail.subject)) and _add(request, mail, now=now):
        return Outcome.ADDED
    opened = contact.open_request(
        kind=next(
            (KINDS[word] for word in mail.recipients if word in KINDS), contact.Kind.QUESTION
        ),
        source=ContactRequest.Source.MAIL,
        email=mail.sender,
        sender_name=mail.sender_name,
        subject=mail.subject,
        text=mail.text,
        mail_id=mail.mail_id,
        now=now,
    )
    contact_mail.acknowledge(opened)
    return Outcome.OPENED


def _add(request: ContactRequest, mail: mail_text.Mail, *, now: dt.datetime) -> bool:
    """Add a mail to a request; False when that has ended, so that a new one is opened."""
    try:
        contact.add_message(request, text=mail.text, now=now, mail_id=mail.mail_id)
    except (contact.RequestClosed, contact.TooMuch):
        return False
    return True


def _own_addresses() -> set[str]:
    """Return the addresses that we write from: a mail from there goes round in a circle."""
    return {
        mail_text.address(settings.CONTACT_EMAIL),
        mail_text.address(settings.DEFAULT_FROM_EMAIL),
    }
