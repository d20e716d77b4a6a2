"""Users, the accounts that pay, and who belongs to them."""

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
    phone_verified_at = models.DateTimeField(null=True, blank=True)
    # In which we write to this user: that of the latest page seen; "": not known yet.
    language = models.CharField(max_length=10, blank=True, default="", editable=False)

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
    # True while all its money is a trial's (billing.trials): cheap models only.
    is_trial = models.BooleanField(default=False, editable=False)
    is_active = models.BooleanField(default=True)
    # True: made for several people, with its own name; else one person's own.
    is_organization = models.BooleanField(default=False)
    # ISO 3166 code of where its owner says to be; vendors' territory rules need it.
    country = models.CharField(max_length=2, blank=True)
    country_attested_at = models.DateTimeField(null=True, blank=True)
    # Its owner says that nobody in a place where a vendor does not sell owns half of it or more.
    ownership_attested_at = models.DateTimeField(null=True, blank=True)
    # Its owner was asked that, and says that somebody does, or does not know. One of the two.
    ownership_denied_at = models.DateTimeField(null=True, blank=True)
    # Jurisdictions of vendors ("US", "CN") that requests may reach; empty: every one.
    allowed_jurisdictions = models.JSONField(default=list, blank=True)
    # NULL: the deployment's default (docs/settings.md).
    requests_per_minute_max = models.PositiveIntegerField(null=True, blank=True)
    concurrency_max = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    members = models.ManyToManyField(User, through="Membership", related_name="accounts")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ownership_attested_at=None) | models.Q(ownership_denied_at=None),
                name="account_ownership_said_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user's place in an account."""

    class Role(models.TextChoices):
        OWNER = "owner"  # everything, and who else owns it
        ADMIN = "admin"  # members, keys, settings
        DEVELOPER = "developer"  # own keys, requests and usage
        BILLING = "billing"  # money and usage, no keys

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.DEVELOPER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "user"], name="membership_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.account}"


class Invitation(models.Model):
    """An offer of a place in an account, sent to an address; only its link's digest is stored."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=10, choices=Membership.Role.choices)
    digest = models.BinaryField(max_length=32, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "email"],
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="invitation_open_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"invitation {self.pk} to {self.account}"


class BillingDetails(models.Model):
    """What an account wants to read on its receipts."""

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, primary_key=True, related_name="billing_details"
    )
    legal_name = models.CharField(max_length=120, blank=True)
    email = models.EmailField(blank=True)
    tax_id = models.CharField(max_length=40, blank=True)
    address = models.CharField(max_length=400, blank=True)
    country = models.CharField(max_length=2, blank=True)

    class Meta:
        verbose_name_plural = "billing details"

    def __str__(self) -> str:
        return f"billing details of {self.account_id}"
