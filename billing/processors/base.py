"""What every payment processor does for us, in our own words."""

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol, Self

# The largest notice that is read at all.
WEBHOOK_BYTES_MAX = 64 << 10
# How far a signed time may lie from our clock, both ways.
CLOCK_SKEW_S = 300


class NoticeKind(StrEnum):
    """What a notice says happened."""

    PAID = "paid"
    FAILED = "failed"
    CLOSED = "closed"  # can no longer be paid
    PENDING = "pending"  # nothing new; it may yet be paid
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    INQUIRY = "inquiry"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_TAKEN = "dispute_taken"  # the money left us
    DISPUTE_RETURNED = "dispute_returned"  # the money came back
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    FRAUD_WARNING = "fraud_warning"
    METHOD_SAVED = "method_saved"
    OTHER = "other"  # verified, and nothing to us


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One verified fact about a payment, from a webhook or an answer to our question.

    It holds nothing of the payer but tokens: no name, address, or card number. Amounts are in
    `currency`'s minor unit. Empty strings and None mean: not said.
    """

    processor: str
    # Unique at the processor; the same fact told twice has the same id.
    event_id: str
    kind: NoticeKind
    # Our order's number (Order.number).
    order_ref: str = ""
    session_ref: str = ""
    payment_ref: str = ""
    amount_minor: int = 0
    currency: str = ""
    # Whose account was paid: Stripe account id, Alipay "app_id/seller_id", WeChat "mchid/appid".
    merchant: str = ""
    is_live: bool | None = None
    occurred_at: dt.datetime | None = None
    # REFUNDED, REFUND_FAILED: our refund's hex id where we asked, the processor's name for it,
    # and this refund's own amount.
    refund_id: str = ""
    refund_ref: str = ""
    refund_minor: int = 0
    # What went back of this payment so far, where the processor tells that and not this refund's
    # own amount (Alipay's notices): then `refund_minor` is only an upper limit.
    refunded_total_minor: int = 0
    # DISPUTE_*, INQUIRY
    dispute_ref: str = ""
    fee_minor: int = 0
    # A code of the processor's, cut to 40 characters of [a-z0-9_.].
    reason: str = ""
    # A token for the card that is the same for the same card; hashed before it is kept.
    card_fingerprint: str = ""
    # How the card's holder proved to be it (3-D Secure): result, version, eci; empty: not asked.
    authentication: Mapping[str, str] = field(default_factory=dict)
    # METHOD_SAVED: customer_ref, method_ref, brand, last4, expires_month, expires_year, account.
    method: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        found = dataclasses.asdict(self)
        found["occurred_at"] = self.occurred_at.isoformat() if self.occurred_at else None
        return found

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """Return the notice that `to_json` wrote."""
        at = found["occurred_at"]
        return cls(
            **{
                **found,
                "kind": NoticeKind(found["kind"]),
                "occurred_at": dt.datetime.fromisoformat(at) if at else None,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a processor needs to know of an order to take money for it."""

    number: str  # 32 hexadecimal digits; also the idempotency key
    amount_minor: int
    currency: str
    method: str
    # Shown to the payer; plain words, at most 60 characters.
    subject: str
    expires_at: dt.datetime
    notify_url: str
    return_url: str  # where the payer's browser comes back to
    cancel_url: str
    client_ip: str = ""
    openid: str = ""  # WeChat JSAPI only
    # A saved card and its customer, for "off_session"; the customer alone to save a card.
    customer_ref: str = ""
    method_ref: str = ""
    saves_method: bool = False
    # Ask for 3-D Secure even where the bank would not.
    is_strict: bool = False
    locale: str = "en"
    session_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Where the payer goes now. Exactly one of the ways is filled in."""

    session_ref: str = ""
    pay_url: str = ""  # go there
    qr_text: str = ""  # show it as a QR code
    client_call: Mapping[str, str] = field(default_factory=dict)  # parameters of JSAPI
    # "off_session" is over at once: what became of it.
    notice: Notice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a processor's statement. Amounts are signed: positive came to us."""

    row_ref: str
    kind: str  # billing.models.StatementRow.Kind
    amount_minor: int
    currency: str
    order_ref: str = ""
    payment_ref: str = ""
    refund_ref: str = ""
    fee_minor: int = 0
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a processor wants to read after a webhook, byte for byte."""

    status: int
    body: bytes
    content_type: str


class ProcessorError(Exception):
    """A processor cannot do it; `code` is short and holds nothing secret or personal."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NotConfigured(ProcessorError):
    """Its keys are not set: nothing is asked, nothing believed."""


class Refused(ProcessorError):
    """The processor said no; asking again says no again."""


class Unavailable(ProcessorError):
    """No answer, a broken one, or one that does not verify: it may or may not have happened."""


class AlreadyPaid(ProcessorError):
    """The order cannot be closed: it was paid."""


class WebhookRefused(Exception):
    """Not believed. `code` says why, for metrics and logs: never credited, nothing stored."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Processor(Protocol):
    """A payment processor. Calls block, each with a deadline; nothing is retried inside."""

    name: ClassVar[str]
    currency: ClassVar[str]
    methods: ClassVar[tuple[str, ...]]
    # What it expects after a notice that is stored, and after one that is not believed.
    accepted: ClassVar[Reply]
    refused: ClassVar[Reply]

    @property
    def merchant(self) -> str:
        """Whose account is paid, as notices say it."""

    @property
    def is_live(self) -> bool:
        """Real money."""

    def create(self, ask: Ask) -> Started:
        """Ask for money; the same number twice is the same payment.

        Raises: Refused, Unavailable.
        """

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, *, now: float) -> Notice:
        """Return what a delivery says. Touches no network. Raises: WebhookRefused."""

    def query(self, ask: Ask) -> Notice:
        """Return what the processor knows of an order now (PAID, CLOSED, FAILED or PENDING).

        Raises: Refused, Unavailable.
        """

    def close(self, ask: Ask) -> None:
        """See to it that the order cannot be paid any more. Raises: AlreadyPaid, Unavailable."""

    def refund(
        self, ask: Ask, *, payment_ref: str, refund_id: str, amount_minor: int, reason: str
    ) -> Notice:
        """Send money back; the same `refund_id` twice is the same refund.

        Returns REFUNDED, REFUND_FAILED or PENDING. Raises: Refused, Unavailable.
        """

    def query_refund(self, ask: Ask, *, payment_ref: str, refund_id: str) -> Notice:
        """Return what became of a refund. Raises: Refused, Unavailable."""

    def statement(self, day: dt.date) -> Sequence[Row]:
        """Return the statement of one day of the processor's own calendar, whole.

        Raises: Refused when there is none yet, Unavailable.
        """


class CardKeeper(Protocol):
    """A processor that keeps cards, to be charged while their owners are away ("off_session")."""

    def save_card(self, account_public_id: str, customer_ref: str, return_url: str) -> Started:
        """Send a payer to give a card. Raises: Refused, Unavailable."""

    def card_saved(self, session_ref: str) -> Notice:
        """Return METHOD_SAVED with what can be shown of the card, or PENDING.

        Raises: Refused, Unavailable.
        """

    def forget_card(self, method_ref: str) -> None:
        """See to it that a card cannot be charged any more; again is no error.

        Raises: Refused, Unavailable.
        """

    def forget_customer(self, customer_ref: str) -> None:
        """See to it that a customer and all its cards are gone there; again is no error.

        Raises: Refused, Unavailable.
        """
