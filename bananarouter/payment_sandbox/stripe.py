"""stripe's side of the sandbox."""

from collections.abc import Sequence

from aiohttp import web

from bananarouter.payment_sandbox.book import Payment
from bananarouter.payment_sandbox.desk import Desk


class Counter:
    """Plays the processor: see bananarouter.payment_sandbox.desk.Counter."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> Sequence[web.RouteDef]:
        return ()

    def pay(self, payment: Payment) -> None:
        raise NotImplementedError

    fail = settle = pay

    def dispute(self, payment: Payment, action: str) -> None:
        raise LookupError(action)

    def refund(self, payment: Payment, amount_minor: int) -> None:
        raise NotImplementedError
