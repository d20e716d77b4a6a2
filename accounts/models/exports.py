"""Copies of everything held about a user, which they asked for."""

from django.db import models
from django.db.models import Q

from accounts.models.people import User
from accounts.models.requests import ContactRequest
from accounts.timeids import uuid7


class Export(models.Model):
    """One copy: asked for, built by a worker, ready for a day, gone."""

    class State(models.TextChoices):
        WAITING = "waiting"
        BUILDING = "building"
        READY = "ready"
        EXPIRED = "expired"  # its file is gone
        CANCELED = "canceled"
        FAILED = "failed"

    public_id = models.UUIDField(default=uuid7, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="exports")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    # Keyed digest of the session that asked, the only one that may download; empty: staff
    # started it, and any session of the user's may.
    session_digest = models.BinaryField(max_length=32, default=b"")
    # Staff who started it, and the tracked request that it answers.
    started_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    request = models.ForeignKey(
        ContactRequest, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    asked_at = models.DateTimeField()
    # Which worker builds it, and when that one last said that it lives.
    builder = models.UUIDField(null=True, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    # Rows to write, each of them twice (JSON and CSV), and how many are written.
    rows_total = models.BigIntegerField(default=0)
    rows_done = models.BigIntegerField(default=0)
    ended_at = models.DateTimeField(null=True, blank=True)
    # Of the file: rows, size, digest, and when it is removed.
    rows = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    downloads = models.PositiveIntegerField(default=0)
    downloaded_at = models.DateTimeField(null=True, blank=True)
    # A code of accounts.exports.
    failure = models.CharField(max_length=12, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(state__in=["waiting", "building"]),
                name="export_running_once",
            ),
            models.CheckConstraint(
                condition=Q(state="building", builder__isnull=False, beat_at__isnull=False)
                | ~Q(state="building"),
                name="export_builder_while_building",
            ),
            models.CheckConstraint(
                condition=Q(state="ready", expires_at__isnull=False) & ~Q(sha256="")
                | ~Q(state="ready"),
                name="export_ready_expires",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(state__in=["waiting", "building", "ready"]),
                name="export_live",
            ),
        ]

    def __str__(self) -> str:
        return f"export {self.public_id}"
