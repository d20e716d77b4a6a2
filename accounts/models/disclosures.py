"""What authorities ask about one account, who allowed it, and what was handed over."""

from django.db import models
from django.db.models import F, Q

from accounts.models.people import Account
from accounts.timeids import uuid7

MARK_CHARS = 40


class Disclosure(models.Model):
    """One request of an authority about exactly one account."""

    class Kind(models.TextChoices):
        COURT = "court", "court order"
        AUTHORITY = "authority", "order of an authority"
        EMERGENCY = "emergency", "danger to life"
        OTHER = "other", "other request"

    class State(models.TextChoices):
        OPEN = "open", "waits for approval"
        APPROVED = "approved"
        DELIVERED = "delivered"
        REFUSED = "refused"

    public_id = models.UUIDField(default=uuid7, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    authority = models.CharField(max_length=200, help_text="Who asks, with the country.")
    reference = models.CharField(max_length=120, help_text="The authority's number of the case.")
    legal_basis = models.CharField(max_length=200, help_text="The law and section it rests on.")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="disclosures")
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    # Opaque ids ("staff:12"): what staff did outlives their accounts here, and still tells them
    # apart.
    created_by = models.CharField(max_length=MARK_CHARS)
    created_at = models.DateTimeField()
    # Two people allow it, and neither of them wrote it down.
    first_approver = models.CharField(max_length=MARK_CHARS, blank=True)
    second_approver = models.CharField(max_length=MARK_CHARS, blank=True)
    # Empty: the account is told as soon as the request is approved.
    secrecy_reason = models.CharField(max_length=400, blank=True)
    secrecy_until = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "authority", "reference"], name="disclosure_unique"
            ),
            models.CheckConstraint(
                name="disclosure_two_approvers",
                condition=Q(second_approver="")
                | (~Q(first_approver="") & ~Q(first_approver=F("second_approver"))),
            ),
            models.CheckConstraint(
                name="disclosure_not_by_its_author",
                condition=~Q(created_by="")
                & ~Q(first_approver=F("created_by"))
                & ~Q(second_approver=F("created_by")),
            ),
            models.CheckConstraint(
                name="disclosure_allowed_by_two",
                condition=Q(state__in=["open", "refused"]) | ~Q(second_approver=""),
            ),
            models.CheckConstraint(
                name="disclosure_secrecy_ends",
                condition=Q(secrecy_reason="", secrecy_until=None)
                | (~Q(secrecy_reason="") & Q(secrecy_until__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.public_id}"


class DisclosureEvent(models.Model):
    """One line of a request's history: read, approved, refused, handed over, told."""

    class Action(models.TextChoices):
        OPENED = "opened"
        READ = "read"
        APPROVED = "approved"
        REFUSED = "refused"
        EXPORTED = "exported"
        TOLD = "told"

    disclosure = models.ForeignKey(Disclosure, on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField()
    action = models.CharField(max_length=10, choices=Action.choices)
    # As in Disclosure; empty: the program itself, at the end of a prohibition.
    actor = models.CharField(max_length=MARK_CHARS, blank=True)
    # Why it was refused; of an export the SHA-256 and the signature.
    note = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["disclosure"], condition=Q(action="told"), name="disclosure_told_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.at:%Y-%m-%d %H:%M}"
