"""The shapes of Stripe's objects, as the sandbox answers and tells them (pure)."""

import time
from typing import Any
from urllib.parse import parse_qsl

from bananarouter.payment_sandbox.book import Payment

Json = dict[str, Any]

API_VERSION = "2026-10-28.endive"
CARD = {
    "brand": "visa",
    "last4": "4242",
    "exp_month": 12,
    "exp_year": 2034,
    "fingerprint": "SandboxVisa4242x",
}
# What is told of 3-D Secure where it was asked for.
PROVED = {"result": "authenticated", "version": "2.2.0", "electronic_commerce_indicator": "05"}


class StripeError(Exception):
    """What the API answers instead."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(code)
        kind = more.pop("type", "card_error" if status == 402 else "invalid_request_error")
        self.status = status
        said = {"type": kind, "message": message, **more}
        self.body: Json = {"error": {**said, "code": code} if code else said}


def form(text: str) -> Json:
    """Read `a[b][0][c]=d`; a list is an object whose names are numbers."""
    found: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        *path, last = name.replace("]", "").split("[")
        place = found
        for step in path:
            place = place.setdefault(step, {})
        place[last] = value
    return found


def listed(url: str, items: list[Json], query: Json) -> Json:
    """Return a page of a list, newest first, as the query wants it."""
    limit, after = int(query.get("limit", 10)), query.get("starting_after")
    created = query.get("created", {})
    kept = [
        item
        for item in reversed(items)
        if int(created.get("gte", 0)) <= item["created"] <= int(created.get("lte", 1 << 40))
        and item["created"] < int(created.get("lt", 1 << 40))
    ]
    if after:
        ids = [item["id"] for item in kept]
        if after not in ids:
            raise StripeError(400, "resource_missing", f"No such object: '{after}'")
        kept = kept[ids.index(after) + 1 :]
    return {"object": "list", "url": url, "data": kept[:limit], "has_more": len(kept) > limit}


def method(ref: str, customer: str = "") -> Json:
    """A saved card."""
    return {
        "id": ref,
        "object": "payment_method",
        "type": "card",
        "customer": customer or None,
        "card": CARD,
        "livemode": False,
    }


def session(payment: Payment, *, is_expanded: bool = False) -> Json:
    """A Checkout Session."""
    extra, is_setup = payment.extra, payment.method == "setup"
    is_done = payment.state in {"paid", "refunded", "pending", "failed"}
    status = "expired" if payment.state == "closed" else "complete" if is_done else "open"
    paid = "paid" if payment.state in {"paid", "refunded"} else "unpaid"
    inner = intent(payment, is_expanded=True) if payment.ref else None
    named = payment.ref or None
    held = inner if is_expanded else named
    return {
        "id": extra["session"],
        "object": "checkout.session",
        "mode": "setup" if is_setup else "payment",
        "status": status,
        "payment_status": "no_payment_required" if is_setup else paid,
        "amount_total": None if is_setup else payment.amount_minor,
        "amount_subtotal": None if is_setup else payment.amount_minor,
        "currency": None if is_setup else payment.currency.lower(),
        "client_reference_id": extra.get("reference"),
        "metadata": extra["metadata"],
        "customer": extra.get("customer") or None,
        "payment_intent": None if is_setup else held,
        "setup_intent": held if is_setup else None,
        "url": extra["url"] if payment.state == "open" else None,
        "created": int(payment.created_at),
        "expires_at": extra["expires_at"],
        "success_url": payment.return_url,
        "cancel_url": payment.cancel_url,
        "livemode": False,
    }


_INTENT_STATUS = {
    "paid": "succeeded",
    "refunded": "succeeded",
    "pending": "processing",
    "closed": "canceled",
}


def intent(payment: Payment, *, is_expanded: bool = False) -> Json:
    """A PaymentIntent, or the SetupIntent of a session that only saves a card."""
    extra, is_setup = payment.extra, payment.method == "setup"
    is_paid = payment.state in {"paid", "refunded"}
    ref = extra.get("method_ref", "")
    card = method(ref, extra.get("customer", "")) if is_expanded and ref else ref or None
    made = {
        "id": payment.ref,
        "object": "setup_intent" if is_setup else "payment_intent",
        "status": _INTENT_STATUS.get(payment.state, "requires_payment_method"),
        "customer": extra.get("customer") or None,
        "payment_method": card,
        "metadata": extra["intent_metadata"],
        "created": int(payment.created_at),
        "livemode": False,
    }
    if is_setup:
        return {**made, "usage": "off_session"}
    return {
        **made,
        "amount": payment.amount_minor,
        "amount_received": payment.amount_minor if is_paid else 0,
        "currency": payment.currency.lower(),
        "latest_charge": extra.get("charge"),
        "setup_future_usage": extra.get("future"),
        "last_payment_error": extra.get("error"),
    }


def charge(payment: Payment) -> Json:
    """A charge of a paid PaymentIntent. This API version leaves its refunds out."""
    return {
        "id": payment.extra["charge"],
        "object": "charge",
        "amount": payment.amount_minor,
        "amount_refunded": payment.refunded_minor,
        "currency": payment.currency.lower(),
        "payment_intent": payment.ref,
        "customer": payment.extra.get("customer") or None,
        "payment_method": payment.extra.get("method_ref") or "pm_sandbox_once",
        "metadata": payment.extra["intent_metadata"],
        "paid": True,
        "refunded": payment.refunded_minor >= payment.amount_minor,
        "status": "succeeded",
        "payment_method_details": {
            "type": "card",
            "card": {**CARD, "three_d_secure": PROVED if payment.extra.get("strict") else None},
        },
        "created": int(payment.paid_at),
        "livemode": False,
    }


def move(ref: str, category: str, amount_minor: int, fee_minor: int, source: Json) -> Json:
    """A balance transaction in USD."""
    now = int(time.time())
    return {
        "id": ref,
        "object": "balance_transaction",
        "type": "adjustment" if category.startswith("dispute") else category,
        "reporting_category": category,
        "amount": amount_minor,
        "fee": fee_minor,
        "net": amount_minor - fee_minor,
        "currency": "usd",
        "status": "available",
        "created": now,
        "available_on": now,
        "source": source,
    }
