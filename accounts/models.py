"""Who is calling: users, the accounts that pay, and their API keys."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person who can log in."""

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField("email address", unique=True)
    display_name = models.CharField(max_length=80, blank=True)
    # E.164; used for verification and urgent notices only (policy clause 1.1-phone).
    phone = models.CharField(max_length=16, blank=True)

    REQUIRED_FIELDS = ["email"]

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["phone"], condition=~models.Q(phone=""), name="user_phone_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.username

    def get_full_name(self) -> str:
        return self.display_name or self.username

    def get_short_name(self) -> str:
        return self.get_full_name()


class Account(models.Model):
    """The payer: a wallet belongs to it, and so do API keys."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=80)
    # A demo account may reach demo vendors only: its balance was given, not paid.
    is_demo = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    # NULL: the deployment's default (docs/settings.md).
    requests_per_minute_max = models.PositiveIntegerField(null=True, blank=True)
    concurrency_max = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    members = models.ManyToManyField(User, through="Membership", related_name="accounts")

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user's place in an account."""

    class Role(models.TextChoices):
        OWNER = "owner"
        MEMBER = "member"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "user"], name="membership_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.account}"


class ApiKey(models.Model):
    """A secret that spends an account's balance; only its keyed digest is stored."""

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
    # True when billing holds a money limit for this key (billing.Budget).
    has_budget = models.BooleanField(default=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    # Set and cleared by whoever manages keys.
    paused_at = models.DateTimeField(null=True, blank=True)
    # Set once, for good.
    disabled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"

    def __str__(self) -> str:
        return f"{self.name} (…{self.last_four})"


class ChangeSequence(models.Model):
    """One row: the number of the latest change. Its lock orders all changes by commit."""

    seq = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.seq)


class Change(models.Model):
    """Something every gateway worker must hear of within a second (accounts/changes.py)."""

    class Topic(models.TextChoices):
        KEY = "key"  # ref: ApiKey id
        ACCOUNT = "account"  # ref: Account id
        CATALOGUE = "catalogue"  # channels, models, endpoints, prices
        WALLET = "wallet"  # ref: wallet's account id; frozen, thawed, topped up
        RECALL = "recall"  # ref: wallet's account id; give idle credit back

    seq = models.BigIntegerField(primary_key=True)
    topic = models.CharField(max_length=12, choices=Topic.choices)
    ref = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.seq} {self.topic} {self.ref}"
