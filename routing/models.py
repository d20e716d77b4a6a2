"""Channels, models and endpoints: what can be reached, through whose credentials."""

from django.db import models
from django.utils import timezone


class Channel(models.Model):
    """One way to a vendor: an address, a credential, a jurisdiction."""

    class Protocol(models.TextChoices):
        OPENAI = "openai-chat"  # the family: chat, responses, embeddings, images, audio
        ANTHROPIC = "anthropic-messages"
        GEMINI = "gemini"

    class OnDisconnect(models.TextChoices):
        STOP = "stop"
        DRAIN = "drain"

    name = models.CharField(max_length=80, unique=True)
    vendor = models.CharField(max_length=40)  # a file of routing/vendors
    protocol = models.CharField(max_length=20, choices=Protocol.choices)
    base_url = models.CharField(max_length=300)  # import_file.check_base_url
    # AES-256-GCM, bound to this row (routing/credentials.py); empty: no credential.
    credential = models.BinaryField(blank=True, default=b"")
    credential_key_id = models.CharField(max_length=20, blank=True)
    credential_last_four = models.CharField(max_length=4, blank=True)
    jurisdiction = models.CharField(max_length=8, default="US")
    priority = models.IntegerField(default=100)  # lower is tried first
    on_disconnect = models.CharField(
        max_length=5, choices=OnDisconnect.choices, default=OnDisconnect.STOP
    )
    is_demo = models.BooleanField(default=False)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Model(models.Model):
    """A model by its canonical name, `author/slug`."""

    slug = models.CharField(max_length=160, unique=True)
    author = models.CharField(max_length=80)
    name = models.CharField(max_length=160)
    # The largest over its endpoints; NULL: unknown.
    context_tokens_max = models.PositiveBigIntegerField(null=True, blank=True)
    output_tokens_max = models.PositiveBigIntegerField(null=True, blank=True)
    is_enabled = models.BooleanField(default=True)
    # When it is taken off; told beforehand to those who use it (routing.announcements).
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.slug


class ModelAlias(models.Model):
    """Another name under which callers ask for a model: the vendor's bare or dated name."""

    name = models.CharField(max_length=160, unique=True)
    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="aliases")

    class Meta:
        verbose_name_plural = "model aliases"

    def __str__(self) -> str:
        return self.name


class Endpoint(models.Model):
    """One model on one channel."""

    slug = models.CharField(max_length=250, unique=True)  # "<channel name>:<model slug>"
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="endpoints")
    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="endpoints")
    upstream_name = models.CharField(max_length=160)
    # How it generates: "openai-responses" where the channel's own protocol does not say it.
    protocol = models.CharField(max_length=20, blank=True, default="")
    quirks = models.JSONField(blank=True, default=dict)  # over those of the vendor file
    # The known model (genai-prices) whose prices and limits hold here; empty: own prices.
    priced_as = models.CharField(max_length=160, blank=True)
    # NULL: unknown.
    context_tokens_max = models.PositiveBigIntegerField(null=True, blank=True)
    output_tokens_max = models.PositiveBigIntegerField(null=True, blank=True)
    is_enabled = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "model"], name="endpoint_unique"),
        ]

    def __str__(self) -> str:
        return self.slug


class Incident(models.Model):
    """Requests to some models fail because of us or a vendor; staff publish it and its end."""

    title_en = models.CharField("title", max_length=120)
    title_zh = models.CharField("title in Chinese", max_length=120)
    slugs = models.JSONField("affected models", default=list)
    began_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, editable=False)
    resolved_at = models.DateTimeField(null=True, editable=False)
    # When all whom it concerns were told, first of it and then of its end.
    told_at = models.DateTimeField(null=True, editable=False)
    resolution_told_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(resolved_at=None) | models.Q(published_at__isnull=False),
                name="incident_published_before_resolved",
            ),
            models.CheckConstraint(
                condition=models.Q(told_at=None) | models.Q(published_at__isnull=False),
                name="incident_told_when_published",
            ),
        ]

    def __str__(self) -> str:
        return self.title_en


class IncidentUpdate(models.Model):
    """What is known by now of a published incident; fixed as soon as it is written."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="updates")
    text_en = models.CharField("text", max_length=1_000)
    text_zh = models.CharField("text in Chinese", max_length=1_000)
    written_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(text_en="") & ~models.Q(text_zh=""),
                name="incident_update_in_both_languages",
            ),
        ]

    def __str__(self) -> str:
        return self.text_en[:80]
