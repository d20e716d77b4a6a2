"""Credit that staff give by hand: who asked, who agreed, and why."""

from django.db import models
from django.db.models import F, Q

from accounts.models import Account
from accounts.timeids import uuid7


class StaffCredit(models.Model):
    """A wish of staff to give an account credit; above a limit a second person decides."""

    class State(models.TextChoices):
        WAITING = "waiting"  # for a second person
        GIVEN = "given"
        REFUSED = "refused"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="staff_credits")
    amount_nusd = models.BigIntegerField()
    reason = models.CharField(max_length=200)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    # One form gives once, however often it is sent.
    form_id = models.UUIDField(unique=True, editable=False)
    # True: more than who asked may give alone.
    needs_second = models.BooleanField()
    asked_by = models.CharField(max_length=80)
    asked_at = models.DateTimeField()
    decided_by = models.CharField(max_length=80, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    # Why it was given or refused, in the words of the second person.
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_nusd__gt=0), name="staff_credit_amount_gt_0"),
            models.CheckConstraint(
                condition=~Q(state="given", needs_second=True, decided_by=F("asked_by")),
                name="staff_credit_two_persons",
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", decided_at__isnull=True, decided_by="")
                | (~Q(state="waiting") & Q(decided_at__isnull=False) & ~Q(decided_by="")),
                name="staff_credit_decided",
            ),
        ]
        permissions = [
            ("approve_staffcredit", "Can agree to staff credits that need a second person")
        ]

    def __str__(self) -> str:
        return f"staff credit {self.id.hex}"
