"""The words of an evidence pack: in English, for a bank. Times are those of UTC."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django.conf import settings

from accounts.models import Consent, Delivery
from billing.models import Dispute, Order, Processor, Refund
from billing.money import decimal_usd
from billing.payments import timeline
from billing.payments.evidence import Earlier, Pack
from billing.payments.papers import Block, Sheet, Table
from billing.payments.receipts import minor_text

PROCESSORS: Final[Mapping[str, str]] = {
    Processor.STRIPE: "Stripe (card)",
    Processor.ALIPAY: "Alipay",
    Processor.WECHATPAY: "WeChat Pay",
}
EVENTS: Final[Mapping[str, str]] = {
    timeline.CREATED: "The order was made",
    timeline.SENT: "The processor has the order",
    timeline.UNREACHED: "The processor did not answer",
    timeline.REFUSED: "The processor refused the order",
    timeline.PAID: "The payment arrived",
    timeline.CREDITED: "The credit was delivered to the balance",
    timeline.RECOVERED: "A part of the credit paid an earlier debt",
    timeline.CLOSED: "The order was closed",
    timeline.FAILED: "The payment failed",
    timeline.PAID_LATE: "The payment arrived late",
    timeline.REFUND_ASKED: "A refund was asked for",
    timeline.REFUND_DONE: "A refund was sent",
    timeline.REFUND_FAILED: "A refund failed",
    timeline.INQUIRY: "The bank inquired",
    timeline.DISPUTE_OPENED: "The bank disputed the payment",
    timeline.DISPUTE_TAKEN: "The bank took the money",
    timeline.DISPUTE_RETURNED: "The bank gave the money back",
    timeline.DISPUTE_WON: "The dispute ended: the payment stands",
    timeline.DISPUTE_LOST: "The dispute ended: the payment was taken back",
    timeline.FRAUD_WARNING: "The bank warned of fraud",
    timeline.SUSPENDED: "A notice did not fit the order",
    timeline.FAPIAO_ISSUED: "A fapiao was issued",
    timeline.FAPIAO_REFUSED: "A fapiao was refused",
    timeline.FAPIAO_REVERSED: "A red-letter fapiao was issued",
}
NOT_KEPT: Final = (
    "This order keeps no evidence of its purchase: it was made before that was kept. What the "
    "books hold of it stands below."
)
ERASED: Final = (
    "The account was closed and its people were erased. What they accepted, and the network, "
    "card and country of the purchase, went with them. The books, which the law makes us keep "
    "without a name, stand below."
)
USED: Final = (
    "Days of UTC; all use of the account since the payment, by its number of requests and what "
    "they cost. Credit is spent without regard to the payment that it came from. What was sent "
    "and answered is not kept."
)


def sheet(pack: Pack) -> Sheet:
    """Return the sheet of an evidence pack."""
    return Sheet(
        title="Evidence of a payment",
        facts=[(label, value) for label, value in _facts(pack) if value],
        blocks=[
            Block(heading="About this paper", lines=list(_about(pack))),
            Block(heading="What was bought and delivered", lines=list(_delivered(pack))),
            Block(heading="What was accepted", lines=list(_accepted(pack))),
            Block(heading="Where it was bought", lines=list(_where(pack))),
            Block(heading="3-D Secure", lines=[_three_d_secure(pack.order)]),
        ],
        tables=list(_tables(pack)),
        foot=f"Order {pack.order.number}",
    )


def moment(at: dt.datetime | None) -> str:
    """Write a time of UTC to the second; "" for none."""
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""


def _money(minor: int, order: Order) -> str:
    return f"{minor_text(minor)} {order.currency}"


def _usd(nusd: int) -> str:
    return f"{decimal_usd(nusd)} USD"


def _who(actor: str) -> str:
    """Say who did something: people by number, staff without one."""
    kind, _, number = actor.partition(":")
    if kind == "user":
        return f"user {number}"
    return {"staff": "staff", timeline.SYSTEM: "the system", "": "erased"}.get(kind, actor)


def _facts(pack: Pack) -> Iterator[tuple[str, str]]:
    order = pack.order
    yield "Seller", settings.OPERATOR_NAME
    yield "Order", order.number
    yield "Account", str(order.account.public_id)
    yield "State", order.get_state_display()
    yield "Processor", f"{PROCESSORS[order.processor]}, {order.method}"
    yield "Processor's session", order.session_ref
    yield "Processor's payment", order.payment_ref
    yield "Price", _money(order.net_minor, order)
    yield "Tax", _money(order.tax_minor, order)
    yield "Paid" if order.paid_at else "To be paid", _money(order.total_minor, order)
    yield "Credit for the price", _usd(order.credit_nusd)
    if order.currency != "USD":
        yield "Rate for 1 USD", f"{decimal_usd(order.rate_ppm * 1_000)} {order.currency}"
    yield "Ordered at", moment(order.created_at)
    yield "Paid at", moment(order.paid_at) or "not paid"
    yield "Ordered by", _buyer(pack)
    yield "Receipts", ", ".join(paper.number for paper in pack.papers)


def _buyer(pack: Pack) -> str:
    if pack.order.purpose == Order.Purpose.AUTOMATIC:
        return "automatic top-up, which the account had turned on"
    if pack.order.created_by_id is None:
        return "a user who was erased"
    return f"user {pack.order.created_by_id}"


def _about(pack: Pack) -> Iterator[str]:
    yield f"Written at {moment(pack.written_at)} from the records as they stood then."
    if not pack.order.is_live:
        yield "A test: no money was moved."
    if pack.is_erased:
        yield ERASED
    elif not pack.is_kept:
        yield NOT_KEPT


def _delivered(pack: Pack) -> Iterator[str]:
    yield "Prepaid credit for requests to language models, delivered to the account's balance."
    credited = [event for event in pack.timeline if event.code == timeline.CREDITED]
    if credited:
        yield f"Delivered at {moment(credited[0].at)}, {_usd(pack.order.credit_nusd)}."
    else:
        yield "Not delivered: no payment arrived."
    if pack.days:
        requests = sum(day.requests for day in pack.days)
        spent = _usd(sum(day.cost_nusd for day in pack.days))
        days = f"{len(pack.days)} day" + ("s" if len(pack.days) > 1 else "")
        yield f"Used since: {requests:,} requests for {spent} on {days} (below)."
    elif pack.order.paid_at:
        yield "Used since: nothing."


def _accepted(pack: Pack) -> Iterator[str]:
    for document, version in sorted(pack.policies.items()):
        yield f"In force at the purchase: {document.replace('_', ' ')}, version {version}"
    for consent in pack.accepted:
        did = "accepted" if consent.action == Consent.Action.GIVEN else "took back"
        version = f", version {consent.version.version}" if consent.version else ""
        at = moment(consent.created_at)
        yield f"User {consent.user_id} {did} {consent.purpose}{version}, {at}"
    if not pack.accepted:
        yield "No acceptance is on record" + (": it was erased." if pack.is_erased else ".")


def _where(pack: Pack) -> Iterator[str]:
    if pack.country:
        yield f"Country of the account at the purchase: {pack.country}"
    yield _earlier("network", pack.same_network)
    if pack.order.processor == Processor.STRIPE:
        yield _earlier("card", pack.same_card)


def _earlier(what: str, found: Earlier | None) -> str:
    if found is None:
        return f"The {what}: nothing is kept."
    kept = f"The {what} is kept as a keyed digest only, which names nobody."
    if not found.count:
        return f"{kept} No earlier payment of the account has the same."
    return (
        f"{kept} Earlier payments of the account with the same: {found.count}, the first at "
        f"{moment(found.first_at)}."
    )


def _three_d_secure(order: Order) -> str:
    if order.processor != Processor.STRIPE:
        return "Not a card payment."
    told: Mapping[str, Any] = order.evidence.get("three_d_secure", {})
    if told:
        return "The processor told: " + ", ".join(f"{name} {told[name]}" for name in sorted(told))
    if order.purpose == Order.Purpose.AUTOMATIC:
        return "A saved card, charged while its holder was away: it is not asked for then."
    asked = order.evidence.get("asks_3ds")
    if asked is None:
        return "Nothing is kept."
    said = "It was asked for" if asked else "It was left to the processor and the card's bank"
    return f"{said}; the processor told no result."


def _tables(pack: Pack) -> Iterator[Table]:
    order = pack.order
    yield _table(
        "Timeline",
        {"At": 125, "What": 190, "Facts": 110, "By": 0},
        [
            (moment(event.at), EVENTS.get(event.code, event.code), _said(event.facts, order),
             _who(event.actor))
            for event in pack.timeline
        ],
    )  # fmt: skip
    yield _table(
        "Use of the credit by day",
        {"Day": 125, "Requests": 100, "Spent": 0},
        [(day.day.isoformat(), f"{day.requests:,}", _usd(day.cost_nusd)) for day in pack.days],
        text=USED,
    )
    yield _table(
        "Refunds",
        {"Asked at": 125, "State": 60, "Amount": 70, "Ended at": 125, "Reason": 0},
        [_refund(refund, order) for refund in pack.refunds],
    )
    lost, count = pack.lost_elsewhere, pack.disputes_elsewhere
    yield _table(
        "Disputes of this payment",
        {"Opened at": 125, "Name at the processor": 130, "State": 50, "Amount": 80, "Reason": 0},
        [_dispute(dispute, order) for dispute in pack.disputes],
        text=f"Disputes of the account's other payments: {count}, of them lost: {lost}.",
    )
    yield _table(
        "Notices sent about this order",
        {"At": 125, "To": 70, "Notice": 130, "Way": 60, "State": 0},
        [_notice(delivery) for delivery in pack.notices],
    )


def _table(
    heading: str, columns: Mapping[str, float], rows: Sequence[Sequence[str]], *, text: str = ""
) -> Table:
    """Return a table by the widths of its columns; one without rows says so."""
    said = text if rows else f"{text} None here.".strip()
    return Table(
        heading=heading, head=list(columns), widths=list(columns.values()), rows=rows, text=said
    )


def _said(facts: Mapping[str, Any], order: Order) -> str:
    """Say the facts of an event: amounts with their currency, all else as it stands."""
    return ", ".join(
        _money(value, order) if name == "amount_minor"
        else _usd(value) if name.endswith("_nusd")
        else str(value)
        for name, value in facts.items()
        if value != ""
    )  # fmt: skip


def _refund(refund: Refund, order: Order) -> Sequence[str]:
    why = " ".join(part for part in (refund.reason, refund.failure, refund.refund_ref) if part)
    return (
        moment(refund.created_at), refund.get_state_display(),
        _money(refund.amount_minor, order), moment(refund.ended_at), why,
    )  # fmt: skip


def _dispute(dispute: Dispute, order: Order) -> Sequence[str]:
    return (
        moment(dispute.opened_at), dispute.dispute_ref, dispute.get_state_display(),
        _money(dispute.amount_minor, order), dispute.reason,
    )  # fmt: skip


def _notice(delivery: Delivery) -> Sequence[str]:
    notice = delivery.notification
    return (
        moment(delivery.done_at or delivery.created_at), f"user {notice.user_id}",
        notice.name.replace("_", " "), delivery.way, delivery.state,
    )  # fmt: skip
