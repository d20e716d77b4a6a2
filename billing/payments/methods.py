"""Saved cards: what a processor keeps for an account."""

import datetime as dt

from accounts import persons
from accounts.models import Account
from billing.models import PaymentMethod, WebhookEvent
from billing.processors.base import Notice


def on_saved(notice: Notice, *, now: dt.datetime) -> str:
    """Keep a saved card's names, once; `method["account"]` is the account's public id."""
    facts = notice.method
    account = Account.objects.filter(public_id=facts["account"]).first()
    if account is None:
        return WebhookEvent.Outcome.IGNORED
    _, is_new = PaymentMethod.objects.get_or_create(
        method_ref=str(facts["method_ref"]),
        defaults={
            "account": account,
            "processor": notice.processor,
            "customer_ref": str(facts["customer_ref"]),
            "brand": str(facts.get("brand", ""))[:20],
            "last4": str(facts.get("last4", ""))[:4],
            "expires_month": facts.get("expires_month"),
            "expires_year": facts.get("expires_year"),
            "card_digest": persons.card_digest(notice.card_fingerprint)
            if notice.card_fingerprint
            else b"",
            "created_at": now,
        },
    )
    return WebhookEvent.Outcome.APPLIED if is_new else WebhookEvent.Outcome.REPEATED
