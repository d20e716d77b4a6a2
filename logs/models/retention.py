"""What is kept longer and why, what was removed, and the log that a law asks for."""

from django.db import models
from django.db.models import F, Q


class LegalHold(models.Model):
    """An order to keep what is known of one account until a day; two of staff make it."""

    account_id = models.BigIntegerField()
    reason = models.CharField(max_length=400)
    # Opaque ids ("staff:12"): what staff did outlives their accounts here.
    requested_by = models.CharField(max_length=40)
    requested_at = models.DateTimeField()
    approved_by = models.CharField(max_length=40, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField()
    # Set when somebody ended it before its time.
    ended_by = models.CharField(max_length=40, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(approved_by=F("requested_by")), name="legal_hold_two_people"
            ),
            models.CheckConstraint(
                condition=Q(approved_by="", approved_at__isnull=True)
                | (~Q(approved_by="") & Q(approved_at__isnull=False)),
                name="legal_hold_approval_whole",
            ),
            models.CheckConstraint(
                condition=Q(ended_by="", ended_at__isnull=True)
                | (~Q(ended_by="") & Q(ended_at__isnull=False)),
                name="legal_hold_end_whole",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="legal_hold_has_reason"),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("requested_at")), name="legal_hold_ends_later"
            ),
        ]
        indexes = [models.Index(fields=["ends_at"], name="legal_hold_by_end")]

    def __str__(self) -> str:
        return f"hold {self.pk} of account {self.account_id}"


class RetentionRun(models.Model):
    """What one run of the forgetting removed, by class of record."""

    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    # Who ran it: "task", "recorder", "command" or "staff:12".
    actor = models.CharField(max_length=40)
    # Class of record -> how many rows went; those that were kept for a hold stand in `held`.
    removed = models.JSONField(default=dict)
    held = models.JSONField(default=dict)
    # Class of record -> kind of error. The other classes went on.
    errors = models.JSONField(default=dict)
    # False: the run reached its bound, and the next one goes on.
    is_complete = models.BooleanField(default=False)
    # True: the clock stood further ahead than is believed; nothing was removed.
    is_held_back = models.BooleanField(default=False)
    # 1 while it runs, NULL afterwards: one run at a time.
    running = models.PositiveSmallIntegerField(null=True, blank=True, unique=True, default=1)

    class Meta:
        indexes = [models.Index(fields=["-started_at"], name="retention_run_latest")]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}"


class SecurityEntry(models.Model):
    """Time, address, account, endpoint: what a law wants kept longer than the request log.

    Written only where the table of retention has days for it. Daily partitions on PostgreSQL. Its
    ids are its own: nothing leads from here to tokens, models or money.
    """

    id = models.UUIDField(primary_key=True)
    at = models.DateTimeField()
    source_ip = models.GenericIPAddressField(null=True)
    account_id = models.BigIntegerField(null=True)
    endpoint = models.CharField(max_length=24)  # logs.recorder.Surface: which API was called

    class Meta:
        verbose_name_plural = "security entries"
        indexes = [models.Index(fields=["account_id", "-id"], name="security_entry_by_account")]

    def __str__(self) -> str:
        return str(self.id)
