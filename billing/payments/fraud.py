"""Rules against stolen cards: asked before an order is made, heard after it is paid."""

import datetime as dt

from accounts.models import Account
from billing.models import Order
from billing.payments.quotes import Quote


class TopUpRefused(Exception):
    """A rule does not allow this top-up now; `rule` says which, for words on the page."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def check(account: Account, quote: Quote, *, client_ip: str, now: dt.datetime) -> None:
    """Raises: TopUpRefused."""


def wants_3ds(order: Order) -> bool:
    """Tell whether the card must be proven by its holder: the account never paid before."""


def after_payment(order: Order, *, now: dt.datetime) -> None:
    """Hold the account to cheap models for a while after its first card payment."""
