"""What the sandbox remembers: payments, refunds, and the knobs that tests turn."""

import secrets
import time
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(slots=True, kw_only=True)
class Refund:
    """Money that went back."""

    ref: str
    refund_id: str  # the merchant's own name for it
    amount_minor: int
    at: float = field(default_factory=time.time)
    state: str = "succeeded"


@dataclass(slots=True, kw_only=True)
class Payment:
    """One payment at one of the processors."""

    processor: str
    number: str  # the merchant's order number
    amount_minor: int
    currency: str
    notify_url: str = ""
    return_url: str = ""
    cancel_url: str = ""
    subject: str = ""
    method: str = ""
    # open, pending (asynchronous: paid, not settled yet), paid, failed, closed, refunded
    state: str = "open"
    token: str = field(default_factory=lambda: secrets.token_hex(12))  # names its pay page
    ref: str = ""  # the processor's name for the payment, once there is one
    created_at: float = field(default_factory=time.time)
    paid_at: float = 0.0
    refunds: list[Refund] = field(default_factory=list)
    # What only one processor's module knows of it.
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def refunded_minor(self) -> int:
        """What went back so far."""
        return sum(refund.amount_minor for refund in self.refunds if refund.state == "succeeded")


@dataclass(slots=True, kw_only=True)
class Knobs:
    """How notices misbehave. `POST /sandbox/knobs` sets them; 0 and "" are off."""

    copies: int = 1  # each notice is delivered so many times
    delay_s: float = 0.0
    shuffle: bool = False  # copies come at random moments within delay_s
    drop: int = 0  # so many notices are not delivered at all
    retries: int = 3  # after an answer that does not accept
    retry_s: float = 0.2
    fail_calls: int = 0  # so many API calls answer 500, and nothing happens
    lose_answers: int = 0  # so many API calls are carried out and answer 500 all the same
    hang_s: float = 0.0  # every API call waits so long
    wrong: str = ""  # one of: amount, currency, merchant, mode
    clock_s: float = 0.0  # added to the time in signatures
    key: str = ""  # "other": signed by a stranger; "platform": WeChat's certificate key
    truncate: int = 0  # bytes cut off the end of the body after signing
    statement: str = ""  # a fault: one of statement_faults.FAULTS
    booked_s: float = 0.0  # added to the times in statements: -86,400 books today as yesterday
    asynchronous: bool = False  # payments stay pending until POST /sandbox/settle
    preview: bool = False  # WeChat shows a snapshot of the page, to nobody in particular

    def set(self, values: dict[str, Any]) -> None:
        """Turn knobs. Raises: KeyError, TypeError, ValueError for what is none."""
        kinds = {item.name: type(getattr(self, item.name)) for item in fields(self)}
        for name, value in values.items():
            setattr(self, name, kinds[name](value))


class Book:
    """All payments, by their order number and by the token of their page."""

    def __init__(self) -> None:
        self.knobs = Knobs()
        self._by_number: dict[tuple[str, str], Payment] = {}
        self._by_token: dict[str, Payment] = {}

    def add(self, payment: Payment) -> Payment:
        """Remember a payment; the same number again is the payment that stands."""
        key = (payment.processor, payment.number)
        if key not in self._by_number:
            self._by_number[key] = payment
            self._by_token[payment.token] = payment
        return self._by_number[key]

    def find(self, processor: str, number: str) -> Payment | None:
        """Return the payment of an order number."""
        return self._by_number.get((processor, number))

    def by_token(self, token: str) -> Payment | None:
        """Return the payment of a page."""
        return self._by_token.get(token)

    def of(self, processor: str) -> list[Payment]:
        """Return a processor's payments, oldest first."""
        return [payment for (name, _), payment in self._by_number.items() if name == processor]
