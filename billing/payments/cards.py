"""How a payer gives a card for automatic top-up, and takes it back."""

import datetime as dt

from accounts.models import Account
from billing.models import PaymentMethod
from billing.payments import applying
from billing.processors import registry
from billing.processors.base import NoticeKind


def start_saving(account: Account, *, return_url: str) -> str:
    """Return the address where a payer gives a card; nothing is charged there.

    The browser comes back to `return_url`, in which `{CHECKOUT_SESSION_ID}` becomes the name that
    `hear` wants. Raises: base.NotConfigured, base.Refused, base.Unavailable.
    """
    keeper = registry.card_keeper()
    return keeper.save_card(str(account.public_id), customer_of(account), return_url).pay_url


def customer_of(account: Account) -> str:
    """Return the name under which the processor keeps an account's cards; empty: none yet."""
    known = account.payment_methods.order_by("created_at", "pk").first()
    return known.customer_ref if known else ""


def hear(session_ref: str, *, now: dt.datetime) -> bool:
    """Ask about a card that a payer comes back from giving; tell whether it is saved.

    The card goes to the account that the session was made for, whoever asks. The webhook says that
    a card is saved; only this answer says its brand and last digits.
    Raises: base.NotConfigured, base.Refused, base.Unavailable.
    """
    notice = registry.card_keeper().card_saved(session_ref)
    if notice.kind != NoticeKind.METHOD_SAVED:
        return False
    applying.take(notice, now=now)
    return True


def forget(method: PaymentMethod) -> None:
    """Have the processor forget a card, and forget it here; automatic top-up stops with it.

    Raises: base.NotConfigured, base.Refused, base.Unavailable: then it is still kept.
    """
    registry.card_keeper().forget_card(method.method_ref)
    method.delete()
