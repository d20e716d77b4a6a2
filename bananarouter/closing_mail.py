"""Mails about a user's end, in the user's language; the last one carries the certificate's link.

A mail that cannot be sent holds nothing up: the pages say the same.
"""

import logging
from collections.abc import Iterator, Sequence
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import closures
from accounts.models import Closure, User
from billing.money import display_usd
from billing.payments import sheets
from billing.payments.closures import Parting
from billing.payments.receipts import minor_text

logger = logging.getLogger(__name__)

HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


def asked(closure: Closure, user: User, money: Parting) -> None:
    """Tell that the end was asked for, when it comes, what goes back, how to keep the account."""
    with translation.override(closure.language):
        lines = [
            _("You asked us to close your account and to erase your data."),
            _("It begins on %(at)s UTC. Until then your keys are paused.")
            % {"at": f"{closure.due_at:%Y-%m-%d %H:%M}"},
            *_divided(money),
            _("If you change your mind, or if it was not you, keep your account here:"),
            settings.PUBLIC_URL + reverse("settings_closure"),
        ]
        _send(user, _("Your account is going to be closed"), lines)


def _divided(money: Parting) -> Iterator[str]:
    """Yield what goes back, by processor and currency, and what is given up."""
    for one in money.sums:
        told = {
            "amount": f"{minor_text(one.amount_minor)} {one.currency}",
            "way": sheets.processor_name(one.processor),
        }
        yield _("Then this goes back: %(amount)s (%(way)s).") % told
    if money.rest_nusd > 0:
        told = {"amount": display_usd(money.rest_nusd)}
        yield _("This cannot be paid out and ends with the account: %(amount)s.") % told


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
