"""Debug mode: when whose key was captured, the captures as ciphertext, and who read them."""

import datetime as dt
import uuid

from django.db import models
from django.utils import timezone

from accounts.models import ApiKey, User
from accounts.timeids import uuid7

DAY_MINUTES = 24 * 60


class DebugSession(models.Model):
    """A time in which what one key says and hears is kept, because its maker asked for it.

    The data key of what is kept stands in no database: logs/debug_keys.py.
    """

    class End(models.TextChoices):
        STOPPED = "stopped"  # by hand
        EXPIRED = "expired"
        KEY = "key"  # the API key ended
        MEMBER = "member"  # whoever switched it on left the account
        LOST = "lost"  # its data key is gone: a restored database, a machine that started anew

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="debug_sessions")
    # Who made the key and switched this on: nobody else of the account reads what is kept.
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="debug_sessions")
    # The text that was agreed to: logs/debug_consent.py.
    consent_version = models.CharField(max_length=20)
    consent_sha256 = models.CharField(max_length=64)
    started_at = models.DateTimeField(default=timezone.now)
    minutes = models.PositiveSmallIntegerField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end = models.CharField(max_length=8, choices=End.choices, blank=True)
    # How many requests were kept, and how many were not: too many, or too large together.
    kept = models.PositiveIntegerField(default=0)
    kept_bytes = models.PositiveBigIntegerField(default=0)
    missed = models.PositiveIntegerField(default=0)
    # False until those concerned heard that it was switched on (logs/debug_notices.py).
    is_told = models.BooleanField(default=False, editable=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(is_told=False), name="debug_session_new"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["api_key"],
                condition=models.Q(ended_at__isnull=True),
                name="debug_session_one_for_a_key",
            ),
            models.CheckConstraint(
                condition=models.Q(minutes__gte=1, minutes__lte=DAY_MINUTES),
                name="debug_session_a_day_at_most",
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True, end="")
                | (models.Q(ended_at__isnull=False) & ~models.Q(end="")),
                name="debug_session_end_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def until(self) -> dt.datetime:
        """When it ends by itself."""
        return self.started_at + dt.timedelta(minutes=self.minutes)

    def is_running(self, now: dt.datetime) -> bool:
        """Tell whether requests are kept, and what was kept can be read."""
        return self.ended_at is None and now < self.until


class DebugCapture(models.Model):
    """One request of a session with its answer, encrypted; gone when the session ends."""

    request_id = models.UUIDField(primary_key=True)
    session = models.ForeignKey(DebugSession, on_delete=models.CASCADE, related_name="captures")
    created_at = models.DateTimeField()
    request = models.BinaryField()
    response = models.BinaryField()
    # Of the whole, before the encryption and before what was too long was cut off.
    request_bytes = models.PositiveBigIntegerField()
    response_bytes = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return str(self.request_id)


class DebugGrant(models.Model):
    """The owner's word that staff may read what a session keeps, for some hours."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(DebugSession, on_delete=models.CASCADE, related_name="grants")
    given_at = models.DateTimeField(default=timezone.now)
    minutes = models.PositiveSmallIntegerField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(minutes__gte=1, minutes__lte=DAY_MINUTES),
                name="debug_grant_a_day_at_most",
            ),
            models.UniqueConstraint(
                fields=["session"],
                condition=models.Q(revoked_at__isnull=True),
                name="debug_grant_one_for_a_session",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def until(self) -> dt.datetime:
        """When it ends by itself."""
        return self.given_at + dt.timedelta(minutes=self.minutes)

    def is_running(self, now: dt.datetime) -> bool:
        """Tell whether staff may read under it."""
        return self.revoked_at is None and now < self.until


class DebugView(models.Model):
    """One reading of one capture by staff; the owner sees it. Rows are added, never changed."""

    grant = models.ForeignKey(DebugGrant, on_delete=models.CASCADE, related_name="views")
    staff = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    request_id = models.UUIDField()
    viewed_at = models.DateTimeField(default=timezone.now)
    # False until the owner heard of it.
    is_told = models.BooleanField(default=False, editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=models.Q(is_told=False), name="debug_view_new"),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.viewed_at:%Y-%m-%d %H:%M}"
