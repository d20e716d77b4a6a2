"""Mails about a user's end, in the user's language; the last one carries the certificate's link.

A mail that cannot be sent holds nothing up: the pages say the same.
"""

import logging
from collections.abc import Sequence
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import closures
from accounts.models import Closure, User

logger = logging.getLogger(__name__)

HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


def asked(closure: Closure, user: User) -> None:
    """Tell that the end was asked for, when it comes, and how to keep the account."""
    with translation.override(closure.language):
        lines = [
            _("You asked us to close your account and to erase your data."),
            _("It begins on %(at)s UTC. Until then your keys are paused.")
            % {"at": f"{closure.due_at:%Y-%m-%d %H:%M}"},
            _("If you change your mind, or if it was not you, keep your account here:"),
            settings.PUBLIC_URL + reverse("settings_closure"),
        ]
        _send(user, _("Your account is going to be closed"), lines)


def begun(closure: Closure, user: User) -> None:
    """Send the link of the certificate: the last mail, for the address is erased next."""
    with translation.override(closure.language):
        lines = [
            _("Your account is closed, and your data is being erased now."),
            _("What was erased, and what the law makes us keep without your name, stands here:"),
            settings.PUBLIC_URL + reverse("closed", args=[closures.word(closure)]),
            _("Keep this link: we do not know your address any more and write you no other mail."),
        ]
        _send(user, _("Your account is closed"), lines)


def _send(user: User, subject: str, lines: Sequence[str]) -> None:
    body = "\n\n".join([*lines, settings.OPERATOR_NAME])
    try:
        EmailMessage(subject=subject, body=body, to=[user.email], headers=HEADERS).send()
    except (OSError, SMTPException) as error:
        # Not the exception itself: a mail server's refusal repeats the address.
        logger.warning("a closure's mail was not sent", extra={"error": type(error).__name__})
