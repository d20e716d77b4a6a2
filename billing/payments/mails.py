"""Mails about fapiao, to the address that the request names, which need not be a user's.

Nothing is known of a reader's language: a mail speaks both, that of the account's country first.
A mail that cannot be sent fails nothing: the pages say the same. All else about money is told by
billing.payments.news.
"""

import logging
from collections.abc import Callable, Sequence
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import Account
from billing.models import FapiaoRequest

logger = logging.getLogger(__name__)

BETWEEN = "\n\n――――\n\n"
CHINESE = "zh-hans"
# A mail of ours is not answered by a program.
HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
# Subject, then paragraphs, in the language that is active.
Text = Callable[[], tuple[str, Sequence[str]]]


def fapiao_changed(request: FapiaoRequest) -> None:
    """Tell who asked for a fapiao what became of it."""
    said: dict[str, Callable[[], str]] = {
        FapiaoRequest.State.ISSUED: lambda: _("Your fapiao was issued. Its number is %(number)s."),
        FapiaoRequest.State.REFUSED: lambda: _("Your fapiao could not be issued: %(note)s"),
        FapiaoRequest.State.RED_ISSUED: lambda: _(
            "Because of your refund, a red-letter fapiao was issued for fapiao %(number)s. "
            "Its number is %(red)s."
        ),
    }
    build = said[request.state]
    told = {
        "number": request.fapiao_number,
        "red": request.red_number,
        "note": request.note,
    }

    def text() -> tuple[str, Sequence[str]]:
        return _("About your fapiao"), [
            build() % told,
            f"{settings.PUBLIC_URL}/billing/orders/{request.order.number}",
        ]

    _send([request.email], _both(request.order.account, text))


def _both(account: Account, text: Text) -> tuple[str, str]:
    """Return subject and body: the subject in the first language, the body in all of them."""
    languages = [code for code, _name in settings.LANGUAGES]
    if account.country == "CN":
        languages.sort(key=lambda code: code != CHINESE)
    parts = []
    for language in languages:
        with translation.override(language):
            parts.append(text())
    bodies = ["\n\n".join([*lines, settings.OPERATOR_NAME]) for _subject, lines in parts]
    return parts[0][0], BETWEEN.join(bodies)


def _send(addresses: Sequence[str], mail: tuple[str, str]) -> None:
    subject, body = mail
    transaction.on_commit(lambda: _deliver(addresses, subject, body))


def _deliver(addresses: Sequence[str], subject: str, body: str) -> None:
    for address in addresses:
        try:
            EmailMessage(subject, body, to=[address], headers=HEADERS).send()
        except (OSError, SMTPException) as error:
            # Not the exception itself: a mail server's refusal repeats the address.
            logger.warning("a mail was not sent", extra={"error": type(error).__name__})
