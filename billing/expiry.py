"""How billing's records end that no book needs: notices, and digests against fraud."""

from django.db.models import Q

from accounts.expiry import Expiry
from billing.models import Order, Trial, WebhookEvent

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
    # That of the network goes after a day, as soon as it counts no more (billing/trials.py).
    Expiry(
        record="trial_digests",
        rows=lambda before: Trial.objects.filter(
            Q(email_digest__isnull=False) | Q(phone_digest__isnull=False), granted_at__lt=before
        ),
        blank={"email_digest": None, "phone_digest": None},
        account="account_id",
    ),
)
