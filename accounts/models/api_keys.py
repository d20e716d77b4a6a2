"""Secrets that spend an account's balance."""

from django.db import models

from accounts.models.people import Account, User


class ApiKey(models.Model):
    """A secret that spends an account's balance; only its keyed digest is stored."""

    class Purpose(models.TextChoices):
        API = "api"
        PLAYGROUND = "playground"  # made for a browser's session, short-lived, not listed

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="api_keys")
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    name = models.CharField(max_length=80)
    digest = models.BinaryField(max_length=32, unique=True)
    pepper_version = models.PositiveSmallIntegerField()
    last_four = models.CharField(max_length=4)
    is_demo = models.BooleanField(default=False)
    # Makes, changes and deletes the account's other keys; calls no model.
    is_management = models.BooleanField(default=False)
    # Patterns over model slugs ("openai/gpt-5", "demo/*"); empty: every model.
    allowed_models = models.JSONField(default=list, blank=True)
    # CIDR ranges; empty: every address.
    allowed_ips = models.JSONField(default=list, blank=True)
    # Jurisdictions of vendors that requests may reach; empty: what the account allows.
    allowed_jurisdictions = models.JSONField(default=list, blank=True)
    # NULL: the account's, then the deployment's.
    requests_per_minute_max = models.PositiveIntegerField(null=True, blank=True)
    # Whom the account wants to bill inside: a label for its own reports.
    cost_center = models.CharField(max_length=40, blank=True)
    purpose = models.CharField(max_length=12, choices=Purpose.choices, default=Purpose.API)
    # The key whose place this one takes; both work until the older one expires.
    replaces = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="replaced_by"
    )
    # The oldest key of a row of rotated ones holds the limits of them all; NULL: its own.
    limits_of = models.ForeignKey(
        "self", on_delete=models.RESTRICT, null=True, blank=True, related_name="sharing_limits"
    )
    # Of the form that made it: sent twice, it makes one key.
    form_id = models.UUIDField(null=True, blank=True, unique=True, editable=False)
    # True when billing holds a money limit for this key (billing.Budget).
    has_budget = models.BooleanField(default=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    # Set and cleared by whoever manages keys.
    paused_at = models.DateTimeField(null=True, blank=True)
    # Set once, for good.
    disabled_at = models.DateTimeField(null=True, blank=True)
    # Disabled and gone from the lists; the row stays, because charges name it.
    deleted_at = models.DateTimeField(null=True, blank=True)
    # Debug mode (logs/debug.py): which session keeps what the key says and hears, until when.
    debug_session = models.UUIDField(null=True, blank=True, editable=False)
    debug_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    # True once those whom it concerns were told that it was made (accounts.alerts).
    is_announced = models.BooleanField(default=False, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(debug_session__isnull=True, debug_until__isnull=True)
                | models.Q(debug_session__isnull=False, debug_until__isnull=False),
                name="api_key_debug_has_an_end",
            ),
        ]
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        indexes = [
            models.Index(fields=["id"], condition=models.Q(is_announced=False), name="api_key_new"),
        ]

    def __str__(self) -> str:
        return f"{self.name} (…{self.last_four})"

    @property
    def limits_key_id(self) -> int:
        """The key whose limits of money and rate this one draws on."""
        return self.limits_of_id or self.pk
