"""Mails about money: to members who see the account's money and want this kind by mail.

Nothing is known of a reader's language: a mail speaks both, that of the account's country first.
A mail that cannot be sent fails nothing: the pages say the same.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from smtplib import SMTPException

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import notifications, roles
from accounts.models import Account, Membership
from billing.models import FapiaoRequest, Order
from billing.money import display_usd
from billing.payments.receipts import minor_text

logger = logging.getLogger(__name__)

TOP_UP, LOW_BALANCE = "top_up", "low_balance"
BETWEEN = "\n\n――――\n\n"
CHINESE = "zh-hans"
# A mail of ours is not answered by a program.
HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
# Subject, then paragraphs, in the language that is active.
Text = Callable[[], tuple[str, Sequence[str]]]


def topped_up(order: Order) -> None:
    """Tell that an automatic top-up was paid."""

    def text() -> tuple[str, Sequence[str]]:
        paid = f"{minor_text(order.total_minor)} {order.currency}"
        told = {"paid": paid, "credit": display_usd(order.credit_nusd)}
        return _("Your balance was topped up automatically"), [
            _("%(paid)s were charged to your saved card; %(credit)s are on your balance.") % told,
            _("The order with its receipt:"),
            f"{settings.PUBLIC_URL}/billing/orders/{order.number}",
        ]

    _tell(order.account, TOP_UP, text)


def top_up_failed(account: Account, *, is_off: bool) -> None:
    """Tell that an automatic top-up failed, and whether it is now off."""

    def text() -> tuple[str, Sequence[str]]:
        then = (
            _("It failed several times in a row, so automatic top-up is off now.")
            if is_off
            else _("We try again later.")
        )
        return _("An automatic top-up failed"), [
            _("Your saved card could not be charged, and your balance was not topped up."),
            then,
            _("Top up by hand or choose another card here:"),
            f"{settings.PUBLIC_URL}/billing",
        ]

    _tell(account, TOP_UP, text)


def turned_off(account: Account) -> None:
    """Tell that automatic top-up is off because its card is gone or its amount not possible."""

    def text() -> tuple[str, Sequence[str]]:
        return _("Automatic top-up is off"), [
            _("Its card was removed, or its amount is not possible any more."),
            _("Top up by hand or choose another card here:"),
            f"{settings.PUBLIC_URL}/billing",
        ]

    _tell(account, TOP_UP, text)


def low_balance(account: Account, *, available_nusd: int, threshold_nusd: int) -> None:
    """Tell that the balance fell below the threshold."""

    def text() -> tuple[str, Sequence[str]]:
        told = {
            "account": account.name,
            "available": display_usd(available_nusd),
            "threshold": display_usd(threshold_nusd),
        }
        return _("Your balance is low"), [
            _("The account “%(account)s” has %(available)s left, less than %(threshold)s.") % told,
            _("Requests are refused when nothing is left. Top up here:"),
            f"{settings.PUBLIC_URL}/billing",
        ]

    _tell(account, LOW_BALANCE, text)


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


def _tell(account: Account, kind: str, text: Text) -> None:
    """Mail each member who sees money and wants it, after the commit."""
    addresses = list(_addresses(account, kind))
    if addresses:
        _send(addresses, _both(account, text))


def _addresses(account: Account, kind: str) -> Iterator[str]:
    places = Membership.objects.filter(account=account, user__is_active=True)
    readers = [
        place.user
        for place in places.select_related("user").order_by("pk")
        if roles.may_see_money(place.role)
    ]
    proven = EmailAddress.objects.filter(user__in=readers, verified=True, primary=True)
    address_of = dict(proven.values_list("user_id", "email"))
    for user in readers:
        ways = {one.kind.name: one.ways for one in notifications.preferences(user)}
        if user.pk in address_of and "email" in ways[kind]:
            yield address_of[user.pk]


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
