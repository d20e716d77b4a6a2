"""Stripe's side of the sandbox: sessions, intents, charges, refunds, disputes, the balance."""

import secrets
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from bananarouter.payment_sandbox import statement_faults, stripe_api
from bananarouter.payment_sandbox import stripe_shapes as shapes
from bananarouter.payment_sandbox.book import Payment, Refund
from bananarouter.payment_sandbox.desk import Desk
from bananarouter.payment_sandbox.stripe_events import Events
from bananarouter.payment_sandbox.stripe_shapes import Json, StripeError

HOOK = "/hooks/stripe"
FEE_PPM, FEE_FIXED_MINOR, DISPUTE_FEE_MINOR = 29_000, 30, 1_500
OPEN_S_MIN, OPEN_S_MAX = 1_800, 86_400
# Stripe's own names of test cards: https://docs.stripe.com/testing
DECLINES = {
    "pm_card_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_authenticationRequired": ("authentication_required", "authentication_required"),
}
_DISPUTE_STATUS = {
    "inquiry": "warning_needs_response",
    "opened": "needs_response",
    "taken": "needs_response",
    "returned": "won",
    "won": "won",
    "lost": "lost",
}
_INQUIRY_WON = "warning_closed"
_DISPUTE_EVENTS = {
    "inquiry": "created",
    "opened": "created",
    "taken": "funds_withdrawn",
    "returned": "funds_reinstated",
    "won": "closed",
    "lost": "closed",
}


def drawn(prefix: str) -> str:
    """Return a new id."""
    return f"{prefix}_{secrets.token_hex(12)}"


class Counter:
    """Plays the processor: see bananarouter.payment_sandbox.desk.Counter."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.events = Events(desk)
        self.moves: list[Json] = []
        # Where each customer's notices go. A restart forgets them: unknown ones are taken as told.
        self._endpoints: dict[str, str] = {}
        self._forgotten: set[str] = set()

    def routes(self) -> Sequence[web.RouteDef]:
        return stripe_api.routes(self, self._desk.keys.stripe_secret_key)

    # What the API does.

    def open(self, asked: Json) -> Payment:
        """Make a Checkout Session. Raises: StripeError."""
        is_setup = asked.get("mode") == "setup"
        line = asked.get("line_items", {}).get("0", {}).get("price_data", {})
        if not is_setup and (asked.get("mode") != "payment" or not line):
            raise StripeError(400, "parameter_missing", "Missing required param: line_items.")
        metadata, session = asked.get("metadata", {}), drawn("cs_test")
        inner = asked.get("setup_intent_data" if is_setup else "payment_intent_data", {})
        customer = asked.get("customer", "") or (
            drawn("cus") if asked.get("customer_creation") == "always" else ""
        )
        back = asked.get("success_url", "").replace("{CHECKOUT_SESSION_ID}", session)
        payment = Payment(
            processor="stripe",
            number=session if is_setup else metadata.get("order", session),
            amount_minor=0 if is_setup else stripe_api.amount(line.get("unit_amount")),
            currency="" if is_setup else str(line.get("currency", "")).upper(),
            notify_url=_endpoint(back),
            return_url=back,
            cancel_url=asked.get("cancel_url", "").replace("{CHECKOUT_SESSION_ID}", session),
            subject="Save a card" if is_setup else line.get("product_data", {}).get("name", ""),
            method="setup" if is_setup else "checkout",
        )
        payment.extra = {
            "session": session,
            "reference": asked.get("client_reference_id"),
            "metadata": metadata,
            "intent_metadata": inner.get("metadata", {}),
            "customer": customer,
            "future": inner.get("setup_future_usage"),
            "expires_at": _expiry(asked.get("expires_at")),
            "url": self._desk.page(payment),
            "strict": "payment_method_options" in asked,
        }
        self._add(payment)
        if customer:
            self._endpoints[customer] = payment.notify_url
        return payment

    def _add(self, payment: Payment) -> None:
        """Stripe itself would not mind; here it shows a missing Idempotency-Key."""
        if self._desk.book.add(payment) is not payment:
            raise StripeError(400, "", "This order was asked for already.")

    def expire(self, payment: Payment) -> None:
        """Close an open session. Raises: StripeError."""
        if payment.state != "open":
            raise StripeError(400, "", "Only open Checkout Sessions can be expired.")
        payment.state = "closed"
        self._tell(payment, "checkout.session.expired", shapes.session(payment))

    def charge(self, asked: Json) -> Payment:
        """Charge a saved card. Raises: StripeError, also when the bank says no."""
        if asked.get("off_session") != "true" or asked.get("confirm") != "true":
            raise StripeError(400, "", "The sandbox charges with off_session and confirm only.")
        ref, customer = str(asked.get("payment_method", "")), str(asked.get("customer", ""))
        if not ref.startswith("pm_") or not customer.startswith("cus_"):
            raise StripeError(400, "resource_missing", f"No such PaymentMethod: '{ref}'")
        if {ref, customer} & self._forgotten:
            raise StripeError(400, "payment_method_unexpected_state", "It was detached.")
        metadata = asked.get("metadata", {})
        payment = Payment(
            processor="stripe",
            number=metadata.get("order", drawn("pi")),
            amount_minor=stripe_api.amount(asked.get("amount")),
            currency=str(asked.get("currency", "")).upper(),
            notify_url=self._endpoints.get(customer, ""),
            subject=asked.get("description", ""),
            method="off_session",
        )
        payment.extra = {"intent_metadata": metadata, "customer": customer, "method_ref": ref}
        payment.ref = drawn("pi")
        self._add(payment)
        if ref in DECLINES:
            self._decline(payment, *DECLINES[ref])
        if self._desk.book.knobs.asynchronous:
            payment.state = "pending"
        else:
            self._arrive(payment)
        return payment

    def _decline(self, payment: Payment, code: str, decline_code: str) -> None:
        error = {"type": "card_error", "code": code, "decline_code": decline_code}
        payment.state, payment.extra["error"] = "failed", error
        inner = shapes.intent(payment)
        self._tell(payment, "payment_intent.payment_failed", inner)
        raise StripeError(
            402, code, "Your card was declined.", decline_code=decline_code, payment_intent=inner
        )

    def cancel(self, payment: Payment) -> None:
        """Cancel an intent that is not paid. Raises: StripeError."""
        if payment.state in {"paid", "refunded", "pending", "closed"}:
            raise StripeError(400, "payment_intent_unexpected_state", "It cannot be canceled now.")
        payment.state = "closed"

    def give_back(self, payment: Payment, amount_minor: int, asked: Json) -> Json:
        """Refund a payment. Raises: StripeError."""
        if payment.state not in {"paid", "refunded"}:
            raise StripeError(400, "payment_intent_unexpected_state", "It has no charge.")
        if payment.extra.get("dispute", {}).get("status") in {"needs_response", "lost"}:
            raise StripeError(400, "charge_disputed", "The charge is disputed.")
        held = sum(item.amount_minor for item in payment.refunds if item.state != "failed")
        if payment.amount_minor == held:
            raise StripeError(400, "charge_already_refunded", "It was refunded already.")
        if not 0 < amount_minor <= payment.amount_minor - held:
            raise StripeError(400, "amount_too_large", "The amount is above what is left.")
        metadata = asked.get("metadata", {})
        refund = Refund(
            ref=drawn("re"), refund_id=metadata.get("refund_id", ""), amount_minor=amount_minor
        )
        payment.extra.setdefault("refunds", {})[refund.ref] = metadata
        payment.refunds.append(refund)
        if self._desk.book.knobs.asynchronous:
            refund.state = "pending"
        self._tell(payment, "refund.created", self.shown(payment, refund))
        if refund.state == "succeeded":
            self._sent_back(payment, refund)
        return self.shown(payment, refund)

    def _sent_back(self, payment: Payment, refund: Refund) -> None:
        refund.state = "succeeded"
        if payment.refunded_minor >= payment.amount_minor:
            payment.state = "refunded"
        self._move("refund", -refund.amount_minor, 0, self.shown(payment, refund))
        self._tell(payment, "charge.refunded", shapes.charge(payment))

    def shown(self, payment: Payment, refund: Refund) -> Json:
        """Return a refund as the API shows it."""
        return {
            "id": refund.ref,
            "object": "refund",
            "amount": refund.amount_minor,
            "currency": payment.currency.lower(),
            "charge": payment.extra["charge"],
            "payment_intent": payment.ref,
            "metadata": payment.extra["refunds"][refund.ref],
            "status": refund.state,
            "reason": "requested_by_customer",
            "failure_reason": "lost_or_stolen_card" if refund.state == "failed" else None,
            "created": int(refund.at),
        }

    def card(self, ref: str) -> Json:
        """Return a saved card."""
        return shapes.method(ref, "" if ref in self._forgotten else "cus_somebody")

    def detach(self, ref: str) -> Json:
        """Forget a saved card. Raises: StripeError."""
        if ref in self._forgotten:
            raise StripeError(400, "", "The payment method is not attached to a customer.")
        self._forgotten.add(ref)
        return self.card(ref)

    def forget(self, customer: str) -> Json:
        """Delete a customer; no card of it can be charged. Raises: StripeError."""
        if not customer.startswith("cus_") or customer in self._forgotten:
            raise StripeError(404, "resource_missing", f"No such customer: '{customer}'")
        self._forgotten.add(customer)
        return {"id": customer, "object": "customer", "deleted": True}

    def find(self, ref: str) -> Payment:
        """Return the payment of a session's or an intent's id. Raises: StripeError."""
        for payment in self.payments():
            if ref and ref in {payment.ref, payment.extra.get("session")}:
                return payment
        raise StripeError(404, "resource_missing", f"No such object: '{ref}'")

    def payments(self) -> list[Payment]:
        """Return all payments, oldest first."""
        return self._desk.book.of("stripe")

    def told_moves(self) -> list[Json]:
        """Return the balance transactions, as well or as badly as the knobs say."""
        return statement_faults.moves(self._desk.book, self.moves)

    # What the payer, the bank and Stripe's staff do.

    def pay(self, payment: Payment) -> None:
        payment.ref = payment.ref or drawn("seti" if payment.method == "setup" else "pi")
        if payment.method == "setup" or payment.extra.get("future"):
            payment.extra["method_ref"] = drawn("pm")
        if payment.method == "setup":
            payment.state, payment.paid_at = "paid", time.time()
            self._tell(payment, "setup_intent.succeeded", shapes.intent(payment))
            self._tell(payment, "checkout.session.completed", shapes.session(payment))
        elif self._desk.book.knobs.asynchronous:
            payment.state = "pending"
            self._tell(payment, "checkout.session.completed", shapes.session(payment))
        else:
            self._arrive(payment, "checkout.session.completed")

    def fail(self, payment: Payment) -> None:
        """A declined card leaves the session open: the payer may try another one."""
        waiting = [refund for refund in payment.refunds if refund.state == "pending"]
        for refund in waiting:
            refund.state = "failed"
            self._tell(payment, "refund.failed", self.shown(payment, refund))
        if waiting:
            return
        payment.ref = payment.ref or drawn("seti" if payment.method == "setup" else "pi")
        payment.extra["error"] = {"type": "card_error", "code": "card_declined"}
        if payment.state == "pending":
            payment.state = "failed"
            told = shapes.session(payment)
            self._tell(payment, "checkout.session.async_payment_failed", told)
        if payment.method != "setup":
            self._tell(payment, "payment_intent.payment_failed", shapes.intent(payment))

    def settle(self, payment: Payment) -> None:
        for refund in payment.refunds:
            if refund.state == "pending":
                self._sent_back(payment, refund)
                self._tell(payment, "refund.updated", self.shown(payment, refund))
        if payment.state == "pending":
            is_away = payment.method == "off_session"
            self._arrive(payment, "" if is_away else "checkout.session.async_payment_succeeded")

    def _arrive(self, payment: Payment, session_event: str = "") -> None:
        payment.state, payment.paid_at = "paid", time.time()
        payment.extra["charge"] = drawn("ch")
        payment.extra.pop("error", None)
        fee = payment.amount_minor * FEE_PPM // 1_000_000 + FEE_FIXED_MINOR
        self._move("charge", payment.amount_minor, fee, shapes.charge(payment))
        if session_event:
            self._tell(payment, session_event, shapes.session(payment))
        self._tell(payment, "payment_intent.succeeded", shapes.intent(payment))
        self._tell(payment, "charge.succeeded", shapes.charge(payment))

    def refund(self, payment: Payment, amount_minor: int) -> None:
        self.give_back(payment, amount_minor, {})

    def dispute(self, payment: Payment, action: str) -> None:
        if action == "payout":
            self._pay_out()
        elif action == "warning":
            warning = {
                "id": drawn("issfr"),
                "object": "radar.early_fraud_warning",
                "actionable": True,
                "charge": payment.extra["charge"],
                "payment_intent": payment.ref,
                "fraud_type": "made_with_stolen_card",
                "created": int(time.time()),
                "livemode": False,
            }
            self._tell(payment, "radar.early_fraud_warning.created", warning)
        elif action in _DISPUTE_STATUS and payment.ref:
            self._dispute(payment, action)
        else:
            raise LookupError(action)

    def _dispute(self, payment: Payment, action: str) -> None:
        dispute = payment.extra.setdefault(
            "dispute",
            {
                "id": drawn("du"),
                "object": "dispute",
                "amount": payment.amount_minor,
                "currency": payment.currency.lower(),
                "charge": payment.extra["charge"],
                "payment_intent": payment.ref,
                "reason": "fraudulent",
                "metadata": {},
                "balance_transactions": [],
                "created": int(time.time()),
                "livemode": False,
            },
        )
        is_inquiry = str(dispute.get("status", "")).startswith("warning_")
        dispute["status"] = _DISPUTE_STATUS[action]
        if action == "won" and is_inquiry:
            dispute["status"] = _INQUIRY_WON
        amount, source = payment.amount_minor, {**dispute, "balance_transactions": []}
        if action == "taken":
            move = self._move("dispute", -amount, DISPUTE_FEE_MINOR, source)
            dispute["balance_transactions"].append({**move, "source": dispute["id"]})
        elif action == "returned":
            move = self._move("dispute_reversal", amount, -DISPUTE_FEE_MINOR, source)
            dispute["balance_transactions"].append({**move, "source": dispute["id"]})
        self._tell(payment, f"charge.dispute.{_DISPUTE_EVENTS[action]}", dispute)

    def _pay_out(self) -> None:
        """Send the whole balance to the merchant's bank."""
        balance = sum(move["net"] for move in self.moves)
        if balance > 0:
            self._move("payout", -balance, 0, {"id": drawn("po"), "object": "payout"})

    def _move(self, category: str, amount_minor: int, fee_minor: int, source: Json) -> Json:
        move = shapes.move(drawn("txn"), category, amount_minor, fee_minor, source)
        self.moves.append(move)
        return move

    def _tell(self, payment: Payment, kind: str, about: Json) -> None:
        self.events.tell(payment.notify_url, kind, about)


def _endpoint(return_url: str) -> str:
    """Stripe's dashboard says where notices go; here it is the site that the payer returns to."""
    site = urlsplit(return_url)
    return f"{site.scheme}://{site.netloc}{HOOK}" if site.netloc else ""


def _expiry(asked: Any) -> int:
    """Raises: StripeError."""
    now = int(time.time())
    if asked is None:
        return now + OPEN_S_MAX
    if not str(asked).isdigit() or not OPEN_S_MIN <= int(asked) - now <= OPEN_S_MAX:
        raise StripeError(
            400, "", "`expires_at` must be 30 minutes to 24 hours away.", param="expires_at"
        )
    return int(asked)
