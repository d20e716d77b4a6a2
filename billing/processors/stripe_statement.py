"""Stripe's balance transactions as lines of a statement (pure)."""

from typing import Final

from billing.processors.base import Row
from billing.processors.stripe_notices import Json, currency, order_of, part, ref, text, whole

# Reporting categories of Stripe's balance; every other one is "other".
_KINDS: Final = {
    "charge": "payment",
    "charge_failure": "payment",
    "refund": "refund",
    "refund_failure": "refund",
    "partial_capture_reversal": "refund",
    "dispute": "dispute",
    "dispute_reversal": "dispute",
    "fee": "fee",
    "network_cost": "fee",
    "payout": "payout",
    "payout_reversal": "payout",
}


def row(move: Json) -> Row:
    """Return the line of a balance transaction whose source came with it.

    `fee_minor` is what Stripe kept of this one; fees on their own are lines of kind "fee".
    Raises: stripe_notices.Odd.
    """
    source = part(move, "source") if isinstance(move.get("source"), dict) else {}
    kind = _KINDS.get(text(move, "reporting_category"), "other")
    is_refund = text(source, "object") == "refund"
    return Row(
        row_ref=ref(move, "id"),
        kind=kind,
        amount_minor=whole(move, "amount"),
        currency=currency(move),
        order_ref=order_of(source),
        payment_ref=ref(source, "payment_intent"),
        refund_ref=ref(source, "id") if is_refund else "",
        fee_minor=whole(move, "fee"),
        status=text(move, "status"),
    )
