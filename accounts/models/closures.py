"""The end of a user: asked for, thought over, carried out, and proved without a name."""

from django.db import models
from django.db.models import Q

from accounts.models.people import User
from accounts.timeids import uuid7


class Closure(models.Model):
    """A user asks to be forgotten. What stays of it when it is over names nobody."""

    class State(models.TextChoices):
        ASKED = "asked"  # nothing to think over: it begins as soon as nothing is under way
        COOLING = "cooling"  # there is money: it begins when `due_at` has come
        CLOSING = "closing"  # nobody gets in any more; every store is being emptied
        CLOSED = "closed"
        CANCELLED = "cancelled"

    public_id = models.UUIDField(default=uuid7, unique=True, editable=False)
    # NULL once the user is gone.
    user = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="closures"
    )
    state = models.CharField(max_length=10, choices=State.choices)
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField()
    began_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # When nothing of it was left in the database's files (bananarouter.dead_rows).
    cleared_at = models.DateTimeField(null=True, blank=True)
    # In which the mail with the link is written; empty once the user is gone.
    language = models.CharField(max_length=10, default="en")
    # What the user agreed to lose at most; more is never taken.
    forfeit_nusd = models.BigIntegerField(default=0)
    # Accounts that end with the user, and keys that were paused when it was asked for.
    account_ids = models.JSONField(default=list)
    paused_key_ids = models.JSONField(default=list, blank=True)
    # Why it does not begin now (accounts.closures.Blocker); empty: nothing is in the way.
    blocked_by = models.CharField(max_length=16, blank=True)
    # Stores, counts and reasons; no name, no id of the user's.
    certificate = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(state__in=["asked", "cooling", "closing"]),
                name="closure_open_unique",
            ),
            models.CheckConstraint(
                condition=~Q(state="closed") | Q(user__isnull=True), name="closure_names_nobody"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["closed", "cancelled"], ended_at__isnull=False)
                | Q(state__in=["asked", "cooling", "closing"], ended_at__isnull=True),
                name="closure_ended_when_over",
            ),
            models.CheckConstraint(
                condition=Q(cleared_at__isnull=True) | Q(state="closed"),
                name="closure_cleared_when_closed",
            ),
            models.CheckConstraint(condition=Q(forfeit_nusd__gte=0), name="closure_forfeit_gte_0"),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(state__in=["asked", "cooling", "closing"]),
                name="closure_to_carry_out",
            ),
        ]

    def __str__(self) -> str:
        return f"closure {self.public_id}"
