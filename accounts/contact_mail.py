"""Mails about tracked requests: received, answered, prove your account.

A mail that cannot be sent never fails the request: the page under its link says the same.
"""

import logging
from collections.abc import Sequence
from smtplib import SMTPException

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.db import transaction
from django.urls import reverse
from django.utils import translation
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from accounts import contact, contact_links
from accounts.models import ContactRequest, User

logger = logging.getLogger(__name__)

# Nobody gets more acknowledgments a day: else a form is a way to flood somebody's mailbox.
ACKNOWLEDGED_MAX = 5
DAY_S = 24 * 3600


def acknowledge(request: ContactRequest) -> None:
    """Mail the sender, once, that the request is here, with the link to its page."""
    if not (_is_first(request) and _may_acknowledge(request.email)):
        return
    with translation.override(request.language):
        due = f"{request.due_at:%Y-%m-%d}"
        lines = [
            _("We have received what you wrote to us, and answer by %(date)s.") % {"date": due},
            _("Here you see its state, and can add to it. Keep this link to yourself:"),
            _page(request),
            *_proof(request),
            _("If you did not write to us, ignore this mail."),
        ]
        _send(request, _("We have received your request"), lines)


def send_answer(request: ContactRequest, text: str) -> None:
    """Mail the sender what staff answered."""
    with translation.override(request.language):
        lines = [
            text,
            _("You may reply to this mail, or on the page of your request:"),
            _page(request),
        ]
        _send(request, _("Our answer to your request"), lines)


def ask_proof(request: ContactRequest) -> None:
    """Mail the sender how to prove the account that a right is asked for."""
    with translation.override(request.language):
        lines = [
            _("You ask for something about the data of an account."),
            *_proof(request),
            _page(request),
        ]
        _send(request, _("Prove that the account is yours"), lines)


def _proof(request: ContactRequest) -> list[str]:
    """Say how the account is proven; only who reads the mailbox learns whether it has one."""
    if request.kind not in contact.RIGHTS or request.proven_at is not None:
        return []
    holder = _holder(request.email)
    if holder is None:
        return [
            _(
                "Before we do it, you must prove that the account is yours. This address is not "
                "the verified address of an account here: log in to your account, open the page "
                "of your request, and confirm it there."
            )
        ]
    path = reverse("contact_confirm", args=[contact_links.prove(request, holder)])
    return [
        _(
            "Before we do it, you must prove that the account is yours. This link does, for three "
            "days. If you have not asked for this, do not open it:"
        ),
        settings.PUBLIC_URL + path,
    ]


def _holder(email: str) -> User | None:
    """Return the user whose verified primary address this is."""
    rows = EmailAddress.objects.filter(email__iexact=email, verified=True, primary=True)
    found = rows.select_related("user").first()
    if found is None or not found.user.is_active:
        return None
    user: User = found.user
    return user


def _is_first(request: ContactRequest) -> bool:
    """Tell whether this is the first acknowledgment today: a form may be sent twice."""
    return bool(cache.add(f"contact-acknowledged:{request.public_id}", 1, DAY_S))


def _may_acknowledge(email: str) -> bool:
    digest = salted_hmac(__name__, email.lower(), algorithm="sha256").hexdigest()
    key = f"contact-acknowledged:{digest}"
    cache.add(key, 0, DAY_S)
    try:
        return cache.incr(key) <= ACKNOWLEDGED_MAX
    except ValueError:  # it expired in between
        return True


def _page(request: ContactRequest) -> str:
    return settings.PUBLIC_URL + reverse("contact_track", args=[contact_links.track(request)])


def _send(request: ContactRequest, subject: str, lines: Sequence[str]) -> None:
    mail = EmailMessage(
        subject=f"{subject} {contact_links.subject(request)}",
        body="\n\n".join([*lines, settings.OPERATOR_NAME]),
        to=[request.email],
        reply_to=[settings.CONTACT_EMAIL],
        # Other programs must not answer a program.
        headers={"Auto-Submitted": "auto-replied", "X-Auto-Response-Suppress": "All"},
    )
    transaction.on_commit(lambda: _deliver(mail, request))


def _deliver(mail: EmailMessage, request: ContactRequest) -> None:
    try:
        mail.send()
    except (OSError, SMTPException):
        logger.exception("contact mail not sent", extra={"request": str(request.public_id)})
