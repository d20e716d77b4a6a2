"""Legal documents by version, and what users agreed to."""

from django.db import models
from django.utils import timezone

from accounts.models.people import User


class PolicyVersion(models.Model):
    """One published version of a legal document; its text is a template, its hash is here."""

    class Document(models.TextChoices):
        PRIVACY = "privacy"
        TERMS = "terms"
        ACCEPTABLE_USE = "acceptable_use"

    document = models.CharField(max_length=16, choices=Document.choices)
    version = models.CharField(max_length=20)
    sha256 = models.CharField(max_length=64)
    # What it changes, in an English sentence that the catalogs may translate.
    summary = models.CharField(max_length=200, blank=True)
    # True: it changes what users agreed to. It holds only after they had time to read it.
    is_material = models.BooleanField(default=False)
    published_at = models.DateTimeField()
    effective_at = models.DateTimeField()
    # When everybody had been told; NULL: the telling is under way.
    announced_at = models.DateTimeField(null=True, blank=True)
    # The latest user, by number, who was told.
    told_up_to = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["document", "version"], name="policy_version_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.document} {self.version}"


class Consent(models.Model):
    """What a user agreed to or took back, and when; append-only."""

    class Purpose(models.TextChoices):
        PRIVACY = "privacy"
        TERMS = "terms"
        CROSS_BORDER = "cross_border"
        DEBUG = "debug"

    class Action(models.TextChoices):
        GIVEN = "given"
        WITHDRAWN = "withdrawn"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    # NULL for a consent that has no document of its own.
    version = models.ForeignKey(PolicyVersion, on_delete=models.PROTECT, null=True)
    action = models.CharField(max_length=10, choices=Action.choices)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["user", "purpose", "-id"], name="consent_latest")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.action} {self.purpose}"
