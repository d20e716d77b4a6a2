"""Money given to new people."""

from django.db import models
from django.db.models import Q

from accounts.models import Account


class Trial(models.Model):
    """Money given once to a new, verified person: for cheap models, until a day."""

    account = models.OneToOneField(
        Account, on_delete=models.PROTECT, primary_key=True, related_name="trial"
    )
    amount_nusd = models.BigIntegerField()
    granted_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    # What was unspent at the end and went back.
    returned_nusd = models.BigIntegerField(default=0)
    # Keyed digests of the person's address, phone and network: once for each person, until the
    # term of retention empties them (billing/expiry.py).
    email_digest = models.BinaryField(max_length=32, null=True, unique=True)
    phone_digest = models.BinaryField(max_length=32, null=True, unique=True)
    network_digest = models.BinaryField(max_length=32)

    class Meta:
        indexes = [
            models.Index(fields=["network_digest", "granted_at"], name="trial_by_network"),
            models.Index(
                fields=["expires_at"], condition=Q(ended_at=None), name="trial_running_by_expiry"
            ),
            models.Index(
                fields=["granted_at"],
                condition=Q(email_digest__isnull=False) | Q(phone_digest__isnull=False),
                name="trial_known_by_age",
            ),
        ]

    def __str__(self) -> str:
        return f"trial of {self.account_id}"
