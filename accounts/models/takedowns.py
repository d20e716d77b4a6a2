"""What is decided about reports of abuse."""

from django.db import models
from django.db.models import Q

from accounts.models.api_keys import ApiKey
from accounts.models.people import Account, User
from accounts.models.requests import ContactRequest


class AbuseReport(ContactRequest):
    """A report of abuse, as the queue shows it."""

    class Meta:
        proxy = True

    def __str__(self) -> str:
        return f"report {self.public_id}"


class Takedown(models.Model):
    """A decision about a report, with its reason; lifted when an appeal is right."""

    class Decision(models.TextChoices):
        NONE = "none", "nothing to do"
        WARN = "warn", "warn the account"
        PAUSE_KEY = "pause_key", "pause the key"
        SUSPEND = "suspend", "suspend the account"

    report = models.OneToOneField(ContactRequest, on_delete=models.CASCADE, related_name="takedown")
    decision = models.CharField(max_length=10, choices=Decision.choices)
    account = models.ForeignKey(
        Account, on_delete=models.SET_NULL, null=True, related_name="takedowns"
    )
    api_key = models.ForeignKey(
        ApiKey, on_delete=models.SET_NULL, null=True, related_name="takedowns"
    )
    reason = models.CharField(max_length=400)
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField()
    # The conversation in which the account is told, and in which it may object.
    appeal = models.OneToOneField(
        ContactRequest, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    lifted_reason = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="takedown_lifted_with_a_reason",
                condition=Q(lifted_at=None, lifted_reason="")
                | (Q(lifted_at__isnull=False) & ~Q(lifted_reason="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_decision_display()}, {self.decided_at:%Y-%m-%d}"
