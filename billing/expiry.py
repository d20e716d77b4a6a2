"""How billing's records end that no book needs: notices, and digests against fraud."""

from accounts.expiry import Expiry
from billing.models import Order, WebhookEvent

EXPIRIES = (
    Expiry(
        record="webhook_events",
        rows=lambda before: WebhookEvent.objects.filter(applied_at__lt=before),
    ),
    Expiry(
        record="network_digests",
        # Greater, not unequal: the index then passes over those that are empty already.
        rows=lambda before: Order.objects.filter(network_digest__gt=b"", created_at__lt=before),
        blank={"network_digest": b""},
        account="account_id",
    ),
    Expiry(
        record="card_digests",
        rows=lambda before: Order.objects.filter(card_digest__gt=b"", created_at__lt=before),
        blank={"card_digest": b""},
        account="account_id",
    ),
)
