"""Payments in people's words: states, what happened, why not, and lines of the statement."""

import uuid
from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.models import FapiaoRequest, Order, Processor, Receipt, Refund
from billing.payments import timeline

Words = str | Promise
State = Order.State

PROCESSORS: Final[Mapping[str, Words]] = {
    Processor.STRIPE: "Stripe",
    Processor.ALIPAY: _("Alipay"),
    Processor.WECHATPAY: _("WeChat Pay"),
}
# By `ways.Way.key`: what one chooses, and what happens then.
WAYS: Final[Mapping[str, tuple[Words, Words]]] = {
    "stripe:checkout": (_("Card"), _("On Stripe's page, in US dollars")),
    "stripe:off_session": (_("Saved card"), _("By itself, in US dollars")),
    "alipay:page": (_("Alipay"), _("On Alipay's page, in yuan")),
    "alipay:wap": (_("Alipay"), _("Opens the app, in yuan")),
    "alipay:qr": (_("Alipay code"), _("Scan it with the app, in yuan")),
    "wechatpay:qr": (_("WeChat Pay"), _("Scan a code with WeChat, in yuan")),
    "wechatpay:h5": (_("WeChat Pay"), _("Opens WeChat, in yuan")),
    "wechatpay:jsapi": (_("WeChat Pay"), _("Right here, in yuan")),
}
# The name and the kind of badge.
STATES: Final[Mapping[str, tuple[Words, str]]] = {
    State.CREATED: (_("Not sent yet"), "info"),
    State.PENDING: (_("Waiting for payment"), "info"),
    State.PAID: (_("Credited"), "good"),
    State.PART_REFUNDED: (_("Partly refunded"), ""),
    State.REFUNDED: (_("Refunded"), ""),
    State.DISPUTED: (_("Disputed"), "warn"),
    State.LOST: (_("Dispute lost"), "bad"),
    State.WON: (_("Dispute won"), "good"),
    State.CLOSED: (_("Canceled"), ""),
    State.FAILED: (_("Failed"), "bad"),
}
STATE_TEXTS: Final[Mapping[str, Words]] = {
    State.CREATED: _("The payment service has not confirmed the order yet. We try again."),
    State.PENDING: _("Once it is paid, the credit is in your balance within seconds."),
    State.PAID: _("The credit is in your balance."),
    State.PART_REFUNDED: _(
        "A part of the money went back to you, and its credit left the balance."
    ),
    State.REFUNDED: _("The money went back to you, and its credit left the balance."),
    State.DISPUTED: _(
        "Your bank asked for the money back. The amount is set aside until it decides."
    ),
    State.LOST: _("Your bank took the money back, and the credit left the balance."),
    State.WON: _("Your bank left the money with us, and the credit is in your balance again."),
    State.CLOSED: _("Nothing was paid. Should money still arrive, it is credited or sent back."),
    State.FAILED: _("Nothing was paid. You can try again, or pay in another way."),
}
WAITS_IN_WECHAT: Final[Words] = _("It waits for you to pay it in WeChat.")
TIMELINE: Final[Mapping[str, Words]] = {
    timeline.CREATED: _("The order was made."),
    timeline.SENT: _("The payment service has the order and waits for the payment."),
    timeline.UNREACHED: _("The payment service did not answer. It is asked again."),
    timeline.REFUSED: _("The payment service refused the order."),
    timeline.PAID: _("The payment arrived."),
    timeline.CREDITED: _("The credit was added to the balance."),
    timeline.RECOVERED: _("A part of the credit paid what the account owed."),
    timeline.CLOSED: _("The order was closed; it can no longer be paid."),
    timeline.FAILED: _("The payment failed."),
    timeline.PAID_LATE: _("The payment arrived after the order was over; it counts all the same."),
    timeline.REFUND_ASKED: _("A refund was asked for; its credit left the balance."),
    timeline.REFUND_DONE: _("The payment service sent the money back."),
    timeline.REFUND_FAILED: _("The refund failed; its credit is in the balance again."),
    timeline.INQUIRY: _("Your bank asked what this payment was. No money moved."),
    timeline.DISPUTE_OPENED: _("Your bank disputed the payment; the amount was set aside."),
    timeline.DISPUTE_TAKEN: _("Your bank took the money back while it decides."),
    timeline.DISPUTE_RETURNED: _("Your bank gave the money back to us."),
    timeline.DISPUTE_WON: _("The dispute ended: the payment stands."),
    timeline.DISPUTE_LOST: _("The dispute ended: the money went back to the card's holder."),
    timeline.FRAUD_WARNING: _("The card's bank reported this payment as possible fraud."),
    timeline.SUSPENDED: _("A message about this payment did not fit the order. Staff look at it."),
    timeline.FAPIAO_ISSUED: _("The fapiao was issued."),
    timeline.FAPIAO_REFUSED: _("The fapiao was refused; its page says why."),
    timeline.FAPIAO_REVERSED: _("A red-letter fapiao was issued."),
}
_DECLINED = _("The card's bank declined it without a reason. Ask the bank, or use another card.")
# Why a processor says that a payment failed.
FAILURES: Final[Mapping[str, Words]] = {
    "card_declined": _DECLINED,
    "generic_decline": _DECLINED,
    "do_not_honor": _DECLINED,
    "insufficient_funds": _("There was not enough money behind the card."),
    "expired_card": _("The card has expired."),
    "incorrect_cvc": _("The card's security code was wrong."),
    "authentication_required": _(
        "The bank wanted you to confirm the payment, and it was not confirmed."
    ),
}  # fmt: skip
# Rules of billing.payments.fraud that do not allow a top-up now.
RULES: Final[Mapping[str, Words]] = {
    "first_week": _(
        "In its first week an account can add a limited amount. Choose a smaller amount, or add "
        "the rest next week."
    ),
    "card": _("This card paid often today. Use another way to pay, or wait until tomorrow."),
    "network": _(
        "Many payments came from your network today. Wait until tomorrow, or write to us."
    ),
    "frozen": _("The balance is frozen. Write to us before you add money."),
}
RULE_UNKNOWN: Final[Words] = _(
    "A rule against misuse does not allow this payment now. Try a smaller amount or another way to "
    "pay, or write to us."
)
# Rules of billing.payments.refund_rules.
REFUND_RULES: Final[Mapping[str, Words]] = {
    "state": _("Nothing of this order can go back now: it is not paid, or a dispute holds it."),
    "amount": _("This is more than is left of the order. Write a smaller amount."),
    "spent": _("The balance does not hold so much any more. Write a smaller amount."),
    "frozen": _("The balance is frozen. Write to us about the refund."),
}
REFUND_RULE_UNKNOWN: Final[Words] = _("This cannot go back by itself. Write to us about it.")
REFUND_STATES: Final[Mapping[str, Words]] = {
    Refund.State.ASKED: _("under way"),
    Refund.State.PENDING: _("under way"),
    Refund.State.SUCCEEDED: _("sent back"),
    Refund.State.FAILED: _("failed; the credit is back"),
}
FAPIAO_STATES: Final[Mapping[str, Words]] = {
    FapiaoRequest.State.ASKED: _("The fapiao is asked for. It comes by email."),
    FapiaoRequest.State.ISSUED: _("The fapiao is issued."),
    FapiaoRequest.State.REFUSED: _("The fapiao was refused. Write to us if this is a mistake."),
    FapiaoRequest.State.RED_ASKED: _("Money went back, so a red-letter fapiao follows."),
    FapiaoRequest.State.RED_ISSUED: _("The fapiao was reversed by a red-letter fapiao."),
    FapiaoRequest.State.WITHDRAWN: _("The request for a fapiao was withdrawn."),
}
# Lines of the statement, by the kind of posting: before a colon when it has one.
POSTINGS: Final[Mapping[str, Words]] = {
    "lease": _("Requests"),
    "correction": _("Correction: a request cost less than was charged"),
    "credit": _("Credit from the operator"),
    "trial_end": _("Trial credit ended"),
    "top_up": _("Money added"),
    "recovery": _("Paid what was owed"),
    "promotion": _("Promotion code"),
    "refund": _("Refund"),
    "refund_back": _("Refund failed: credit returned"),
    "dispute": _("Disputed payment"),
    "dispute_back": _("Dispute won: credit returned"),
    "suspense_credit": _("Payment credited by staff"),
}
POSTING_UNKNOWN: Final[Words] = _("Other")

# Why automatic top-up turned itself off.
OFF_REASONS: Final[Mapping[str, Words]] = {
    "failures": _("It turned itself off after three payments failed in a row."),
    "no_method": _("It turned itself off because the card was removed."),
    "amount": _("It turned itself off because the amount is no longer allowed."),
}
PAPERS: Final[Mapping[str, Words]] = {
    Receipt.Kind.RECEIPT: _("Receipt"),
    Receipt.Kind.CREDIT_NOTE: _("Credit note"),
}


def new_key() -> str:
    """Return what makes a form count once."""
    return uuid.uuid4().hex


def refund_rule(code: str) -> Words:
    """Say which rule does not allow a refund."""
    return REFUND_RULES.get(code, REFUND_RULE_UNKNOWN)


def failure(code: str) -> Words:
    """Say why a payment failed; empty where only the processor's own code is known."""
    return FAILURES.get(code, "")


def rule(code: str) -> Words:
    """Say which rule does not allow a top-up."""
    return RULES.get(code, RULE_UNKNOWN)


def posting(kind: str) -> Words:
    """Name a line of the statement."""
    head = kind.partition(":")[0]
    return POSTINGS.get(kind) or POSTINGS.get(head, POSTING_UNKNOWN)
