"""What Stripe's objects say, in our words (pure): the same for events and for answers."""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from billing.processors.base import Notice, NoticeKind

Json = Mapping[str, Any]
Kind = NoticeKind

OFF_SESSION: Final = "off_session"
# What a payment whose card is to be kept says in its metadata.
SAVES_CARD: Final = "yes"
MINOR_MAX: Final = 10**12
REASON_CHARS_MAX: Final = 40
_REF = re.compile(r"[A-Za-z0-9_]{1,100}")
_EVENT = re.compile(r"evt_[A-Za-z0-9_]{1,100}")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_FAILED = Kind.REFUND_FAILED
_REFUNDS = {"succeeded": Kind.REFUNDED, "failed": _FAILED, "canceled": _FAILED}
# A payment that failed for good, though its session is complete: an asynchronous one.
_FAILED_INTENTS = frozenset({"requires_payment_method", "canceled"})


class Odd(ValueError):
    """Not shaped as Stripe's API says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands around a fact: its name, whose account it is about, and when."""

    event_id: str
    merchant: str
    is_live: bool
    occurred_at: dt.datetime | None = None

    def notice(self, kind: NoticeKind, **facts: Any) -> Notice:
        """Return a notice in this frame."""
        return Notice(
            processor="stripe",
            event_id=self.event_id,
            kind=kind,
            merchant=self.merchant,
            is_live=self.is_live,
            occurred_at=self.occurred_at,
            **facts,
        )


def of_event(event: Any, *, account: str) -> Notice:
    """Return what a verified event says; `account` is ours, of whom events do not speak.

    Raises: Odd.
    """
    if not isinstance(event, Mapping) or event.get("object") != "event":
        raise Odd("object")
    event_id, is_live = text(event, "id"), event.get("livemode")
    if not _EVENT.fullmatch(event_id) or not isinstance(is_live, bool):
        raise Odd("event")
    frame = Frame(
        event_id=event_id,
        merchant=_merchant(event, account),
        is_live=is_live,
        occurred_at=_moment(event),
    )
    read = _READERS.get(text(event, "type"))
    if read is None:
        return frame.notice(Kind.OTHER)
    return read(frame, part(part(event, "data"), "object"))


def _merchant(event: Json, account: str) -> str:
    """Connect names the account, an organization's events the context; our own name none."""
    return ref(event, "account") or text(event, "context").rpartition("/")[2] or account


def _moment(event: Json) -> dt.datetime:
    try:
        return dt.datetime.fromtimestamp(minor(event, "created"), dt.UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise Odd("created") from error


def text(found: Json, name: str) -> str:
    """Return a short text; none is "". Raises: Odd."""
    value = found.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 200:
        raise Odd(name)
    return value


def ref(found: Json, name: str) -> str:
    """Return the id that a field holds, plain or of an expanded object. Raises: Odd."""
    value = found.get(name)
    held = text(value, "id") if isinstance(value, Mapping) else text(found, name)
    if held and not _REF.fullmatch(held):
        raise Odd(name)
    return held


def minor(found: Json, name: str) -> int:
    """Return a whole number that is not negative, nor absurd. Raises: Odd."""
    value = whole(found, name)
    if not 0 <= value <= MINOR_MAX:
        raise Odd(name)
    return value


def whole(found: Json, name: str) -> int:
    """Return a whole number. Raises: Odd."""
    value = found.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Odd(name)
    return value


def part(found: Json, name: str) -> Json:
    """Return a field's object; none is empty. Raises: Odd."""
    value = found.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Odd(name)
    return value


def items(found: Any) -> list[Json]:
    """Return a list's objects; none is empty. Raises: Odd."""
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
        raise Odd("list")
    return found


def currency(found: Json) -> str:
    """Return the currency as we write it. Raises: Odd."""
    code = text(found, "currency")
    if not _CURRENCY.fullmatch(code):
        raise Odd("currency")
    return code.upper()


def order_of(found: Json) -> str:
    """Return the order that an object of ours belongs to; "" for others'. Raises: Odd."""
    told = {text(part(found, "metadata"), "order"), text(found, "client_reference_id")} - {""}
    if len(told) > 1:
        raise Odd("order")
    return told.pop() if told else ""


def reason(*codes: Any) -> str:
    """Return the first code there is, as notices hold it."""
    said = next((code for code in codes if isinstance(code, str) and code), "")
    return re.sub(r"[^a-z0-9_.]", "_", said.lower())[:REASON_CHARS_MAX]


def of_session(frame: Frame, session: Json) -> Notice:
    """Return what became of a Checkout Session whose PaymentIntent came with it. Raises: Odd."""
    intent = part(session, "payment_intent") if session.get("payment_intent") else {}
    if text(session, "status") == "expired":
        return _session(frame, Kind.CLOSED, session)
    if text(session, "status") != "complete":
        return _session(frame, Kind.PENDING, session)
    if text(intent, "status") in _FAILED_INTENTS:
        return _session(frame, Kind.FAILED, session, reason=_failure(intent))
    if text(session, "payment_status") != "paid" or text(intent, "status") != "succeeded":
        return _session(frame, Kind.PENDING, session)
    return _paid(frame, intent, session_ref=ref(session, "id"))


def of_intent(frame: Frame, intent: Json) -> Notice:
    """Return what became of a PaymentIntent without a session. Raises: Odd."""
    status = text(intent, "status")
    if status == "succeeded":
        return _paid(frame, intent, session_ref=ref(intent, "id"))
    kind = Kind.FAILED if status in _FAILED_INTENTS else Kind.PENDING
    return frame.notice(
        kind,
        order_ref=order_of(intent),
        session_ref=ref(intent, "id"),
        reason=_failure(intent) if kind == Kind.FAILED else "",
    )


def of_refund(frame: Frame, refund: Json) -> Notice:
    """Return what became of a refund. Raises: Odd."""
    metadata = part(refund, "metadata")
    return frame.notice(
        _REFUNDS.get(text(refund, "status"), Kind.PENDING),
        order_ref=text(metadata, "order"),
        payment_ref=ref(refund, "payment_intent"),
        currency=currency(refund),
        refund_id=text(metadata, "refund_id"),
        refund_ref=ref(refund, "id"),
        refund_minor=minor(refund, "amount"),
        reason=reason(refund.get("failure_reason"), refund.get("reason")),
    )


def of_setup(frame: Frame, intent: Json) -> Notice:
    """Return the card that a SetupIntent of ours saved; another's is nothing to us. Raises: Odd."""
    account = text(part(intent, "metadata"), "account")
    facts = {"customer_ref": ref(intent, "customer"), "method_ref": ref(intent, "payment_method")}
    if not account or not all(facts.values()) or text(intent, "status") != "succeeded":
        return frame.notice(Kind.OTHER)
    card = _card(intent)
    return frame.notice(
        Kind.METHOD_SAVED,
        session_ref=ref(intent, "id"),
        card_fingerprint=text(card, "fingerprint"),
        method={"account": account, **facts, **_printed(card)},
    )


def _card(intent: Json) -> Json:
    """Return the card of an intent whose payment method came with it; else nothing."""
    method = intent.get("payment_method")
    return part(method, "card") if isinstance(method, Mapping) else {}


def _printed(card: Json) -> dict[str, Any]:
    """Return what a page may show of a card."""
    if not card:
        return {}
    return {
        "brand": text(card, "brand"),
        "last4": text(card, "last4"),
        "expires_month": minor(card, "exp_month"),
        "expires_year": minor(card, "exp_year"),
    }


def _failure(intent: Json) -> str:
    error = part(intent, "last_payment_error")
    return reason(error.get("decline_code"), error.get("code"), intent.get("status"))


def _paid(frame: Frame, intent: Json, *, session_ref: str) -> Notice:
    """The amount is what arrived, whatever was asked for."""
    card = _card(intent)
    is_saved = text(intent, "setup_future_usage") == OFF_SESSION and card
    return frame.notice(
        Kind.PAID,
        order_ref=order_of(intent),
        session_ref=session_ref,
        payment_ref=ref(intent, "id"),
        amount_minor=minor(intent, "amount_received"),
        currency=currency(intent),
        card_fingerprint=text(card, "fingerprint"),
        method=_saved(intent, card) if is_saved else {},
    )


def _session(frame: Frame, kind: NoticeKind, session: Json, **facts: Any) -> Notice:
    """A session that names no order of ours sells something else: nothing to us."""
    order = order_of(session)
    return frame.notice(
        kind if order else Kind.OTHER,
        order_ref=order,
        session_ref=ref(session, "id"),
        **facts,
    )


def _session_money(frame: Frame, session: Json) -> Notice:
    """Complete is not paid: an asynchronous payment is told again when it arrives or fails."""
    status = text(session, "payment_status")
    if text(session, "mode") != "payment" or status not in {"paid", "unpaid"}:
        return frame.notice(Kind.OTHER)
    facts = {"payment_ref": ref(session, "payment_intent"), "currency": currency(session)}
    amount = minor(session, "amount_total")
    if status == "unpaid":
        return _session(frame, Kind.PENDING, session, **facts)
    return _session(frame, Kind.PAID, session, amount_minor=amount, **facts)


def _session_failed(frame: Frame, session: Json) -> Notice:
    return _session(frame, Kind.FAILED, session, reason="async_payment_failed")


def _session_expired(frame: Frame, session: Json) -> Notice:
    return _session(frame, Kind.CLOSED, session)


def _intent(frame: Frame, intent: Json) -> Notice:
    """An intent of a Checkout Session is told by its session: once is enough."""
    is_alone = text(part(intent, "metadata"), "method") == OFF_SESSION and order_of(intent)
    return of_intent(frame, intent) if is_alone else frame.notice(Kind.OTHER)


def _charge(frame: Frame, charge: Json) -> Notice:
    """Moves no money; it is the only event that knows the card. Its metadata are the intent's."""
    card = part(part(charge, "payment_method_details"), "card")
    is_saved = bool(card) and text(part(charge, "metadata"), "saves_card") == SAVES_CARD
    return frame.notice(
        Kind.OTHER,
        order_ref=order_of(charge),
        payment_ref=ref(charge, "payment_intent"),
        card_fingerprint=text(card, "fingerprint"),
        authentication=_authentication(card),
        method=_saved(charge, card) if is_saved else {},
    )


def _authentication(card: Json) -> dict[str, str]:
    told = part(card, "three_d_secure")
    names = {"result": "result", "version": "version", "electronic_commerce_indicator": "eci"}
    return {ours: said for theirs, ours in names.items() if (said := reason(told.get(theirs)))}


def _saved(found: Json, card: Json) -> dict[str, Any]:
    """Return the names of a card that stays with its customer, and what a page may show of it."""
    names = {"customer_ref": ref(found, "customer"), "method_ref": ref(found, "payment_method")}
    return {**names, **_printed(card)} if all(names.values()) else {}


def _charge_refunded(frame: Frame, charge: Json) -> Notice:
    """Only old versions name the refund here; the others tell it by refund.created as well."""
    refunds = items(part(charge, "refunds").get("data"))
    if not refunds:
        return frame.notice(Kind.OTHER, payment_ref=ref(charge, "payment_intent"))
    return of_refund(frame, max(refunds, key=lambda refund: minor(refund, "created")))


def _dispute(kind: NoticeKind, frame: Frame, dispute: Json, fee_minor: int = 0) -> Notice:
    return frame.notice(
        kind,
        payment_ref=ref(dispute, "payment_intent"),
        amount_minor=minor(dispute, "amount"),
        currency=currency(dispute),
        dispute_ref=ref(dispute, "id"),
        fee_minor=fee_minor,
        reason=reason(dispute.get("reason")),
    )


def _dispute_created(frame: Frame, dispute: Json) -> Notice:
    is_inquiry = text(dispute, "status").startswith("warning_")
    return _dispute(Kind.INQUIRY if is_inquiry else Kind.DISPUTE_OPENED, frame, dispute)


def _dispute_taken(frame: Frame, dispute: Json) -> Notice:
    moves = items(dispute.get("balance_transactions"))
    fee = sum(whole(move, "fee") for move in moves if whole(move, "amount") < 0)
    return _dispute(Kind.DISPUTE_TAKEN, frame, dispute, max(0, fee))


def _dispute_returned(frame: Frame, dispute: Json) -> Notice:
    """The fee is what of it came back, too."""
    moves = items(dispute.get("balance_transactions"))
    fee = sum(whole(move, "fee") for move in moves if whole(move, "amount") > 0)
    return _dispute(Kind.DISPUTE_RETURNED, frame, dispute, max(0, -fee))


def _dispute_closed(frame: Frame, dispute: Json) -> Notice:
    """An inquiry that ends is won; "prevented" and what else there may be, staff look at."""
    won, lost = Kind.DISPUTE_WON, Kind.DISPUTE_LOST
    kinds = {"won": won, "warning_closed": won, "lost": lost}
    return _dispute(kinds.get(text(dispute, "status"), Kind.OTHER), frame, dispute)


def _fraud_warning(frame: Frame, warning: Json) -> Notice:
    return frame.notice(
        Kind.FRAUD_WARNING,
        payment_ref=ref(warning, "payment_intent"),
        dispute_ref=ref(warning, "id"),
        reason=reason(warning.get("fraud_type")),
    )


_READERS: Final[Mapping[str, Callable[[Frame, Json], Notice]]] = {
    "checkout.session.completed": _session_money,
    "checkout.session.async_payment_succeeded": _session_money,
    "checkout.session.async_payment_failed": _session_failed,
    "checkout.session.expired": _session_expired,
    "setup_intent.succeeded": of_setup,
    "payment_intent.succeeded": _intent,
    "payment_intent.payment_failed": _intent,
    "charge.succeeded": _charge,
    "refund.created": of_refund,
    "refund.updated": of_refund,
    "refund.failed": of_refund,
    "charge.refund.updated": of_refund,
    "charge.refunded": _charge_refunded,
    "charge.dispute.created": _dispute_created,
    "charge.dispute.funds_withdrawn": _dispute_taken,
    "charge.dispute.funds_reinstated": _dispute_returned,
    "charge.dispute.closed": _dispute_closed,
    "radar.early_fraud_warning.created": _fraud_warning,
}
# What an endpoint at Stripe has to be subscribed to.
EVENTS: Final = tuple(_READERS)
