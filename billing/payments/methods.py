"""Saved cards: what a processor keeps for an account."""

import datetime as dt
import uuid
from typing import Any

from accounts import persons
from accounts.models import Account
from billing.models import Order, PaymentMethod, WebhookEvent
from billing.processors import registry
from billing.processors.base import Notice

Outcome = WebhookEvent.Outcome


def on_saved(notice: Notice, *, now: dt.datetime) -> str:
    """Keep a saved card's names, once; `method["account"]` is the account's public id.

    What a later notice knows of the same card fills in what an earlier one did not say.
    """
    account = _account(notice)
    return Outcome.IGNORED if account is None else _keep(account, notice, now=now)


def keep(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """Keep the card of a payment whose payer wanted that, once. The notice matches the order."""
    if not notice.method:
        return Outcome.IGNORED
    return _keep(order.account, notice, now=now)


def _keep(account: Account, notice: Notice, *, now: dt.datetime) -> str:
    seen = _seen(notice)
    kept, is_new = PaymentMethod.objects.get_or_create(
        method_ref=str(notice.method["method_ref"]),
        defaults={
            "account": account,
            "processor": notice.processor,
            "customer_ref": str(notice.method["customer_ref"]),
            "created_at": now,
            **seen,
        },
    )
    if is_new:
        return Outcome.APPLIED
    if kept.last4 or not seen["last4"] or kept.account_id != account.pk:
        return Outcome.REPEATED
    PaymentMethod.objects.filter(pk=kept.pk).update(**seen)
    return Outcome.APPLIED


def _account(notice: Notice) -> Account | None:
    """Return whose card it is; nobody's when it was saved elsewhere, or in the other mode."""
    processor = registry.get(notice.processor)
    if (notice.merchant, notice.is_live) != (processor.merchant, processor.is_live):
        return None
    try:
        public_id = uuid.UUID(str(notice.method["account"]))
    except ValueError:
        return None
    return Account.objects.filter(public_id=public_id).first()


def _seen(notice: Notice) -> dict[str, Any]:
    """Return what a page shows of a card, and the digest by which fraud rules know it."""
    facts, print_ = notice.method, notice.card_fingerprint
    return {
        "brand": str(facts.get("brand", ""))[:20],
        "last4": str(facts.get("last4", ""))[:4],
        "expires_month": facts.get("expires_month"),
        "expires_year": facts.get("expires_year"),
        "card_digest": persons.card_digest(print_) if print_ else b"",
    }
