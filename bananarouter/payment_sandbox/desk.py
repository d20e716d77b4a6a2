"""What a processor's module in the sandbox is made of, and how a payer's decision reaches it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from bananarouter.payment_sandbox.book import Book, Payment
from bananarouter.payment_sandbox.keys import Keys

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Counter(Protocol):
    """One processor's side of the sandbox."""

    def routes(self) -> Sequence[web.RouteDef]:
        """Return its API."""

    def pay(self, payment: Payment) -> None:
        """The payer paid: set the state, give it a `ref`, send the notice."""

    def fail(self, payment: Payment) -> None:
        """The payer's bank said no."""

    def settle(self, payment: Payment) -> None:
        """An asynchronous payment arrived after all."""

    def dispute(self, payment: Payment, action: str) -> None:
        """The payer's bank: inquiry, opened, taken, returned, won, lost, warning (Stripe only).

        Raises: LookupError where there is no such thing.
        """

    def refund(self, payment: Payment, amount_minor: int) -> None:
        """Staff at the processor sent money back, unasked by us."""


@dataclass(slots=True, kw_only=True)
class Desk:
    """Shared by all: the book, the keys, the public address of the sandbox."""

    keys: Keys
    book: Book = field(default_factory=Book)
    counters: dict[str, Counter] = field(default_factory=dict)
    url: str = ""

    def page(self, payment: Payment) -> str:
        """Return the address where a payer pays."""
        return f"{self.url}/pay/{payment.token}"
