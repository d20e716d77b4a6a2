"""Who is calling: users, the accounts that pay, and their API keys."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone

from accounts.timeids import uuid7


class User(AbstractUser):
    """A person who can log in."""

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField("email address", unique=True)
    display_name = models.CharField(max_length=80, blank=True)
    # E.164; used for verification and urgent notices only (policy clause 1.1-phone).
    phone = models.CharField(max_length=16, blank=True)
    phone_verified_at = models.DateTimeField(null=True, blank=True)

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
    # Jurisdictions of vendors ("US", "CN") that requests may reach; empty: every one.
    allowed_jurisdictions = models.JSONField(default=list, blank=True)
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
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"

    def __str__(self) -> str:
        return f"{self.name} (…{self.last_four})"

    @property
    def limits_key_id(self) -> int:
        """The key whose limits of money and rate this one draws on."""
        return self.limits_of_id or self.pk


class PolicyVersion(models.Model):
    """One published version of a legal document; its text is a template, its hash is here."""

    class Document(models.TextChoices):
        PRIVACY = "privacy"
        TERMS = "terms"
        ACCEPTABLE_USE = "acceptable_use"

    document = models.CharField(max_length=16, choices=Document.choices)
    version = models.CharField(max_length=20)
    sha256 = models.CharField(max_length=64)
    summary = models.CharField(max_length=400, blank=True)
    published_at = models.DateTimeField()
    effective_at = models.DateTimeField()

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


class NotificationPreference(models.Model):
    """By which ways a user wants to hear of a kind of news; a missing row means the default."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=32)
    by_email = models.BooleanField(default=True)
    by_web = models.BooleanField(default=True)
    by_sms = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "kind"], name="notification_kind_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.user_id}"


class ContactRequest(models.Model):
    """Something that somebody asks of the operator; tracked until it is answered."""

    class Kind(models.TextChoices):
        QUESTION = "question"
        ACCESS = "access"
        CORRECTION = "correction"
        DELETION = "deletion"
        ABUSE = "abuse"
        SECURITY = "security"
        DISPUTE = "dispute"

    class Source(models.TextChoices):
        FORM = "form"
        MAIL = "mail"
        PAGE = "page"  # a signed-in page, such as the dispute button

    class State(models.TextChoices):
        OPEN = "open"
        ANSWERED = "answered"
        CLOSED = "closed"

    public_id = models.UUIDField(default=uuid7, unique=True, editable=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    source = models.CharField(max_length=8, choices=Source.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    email = models.EmailField()
    sender_name = models.CharField(max_length=80, blank=True)
    # In which mails about it are written.
    language = models.CharField(max_length=10, default="en")
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    account = models.ForeignKey(Account, on_delete=models.SET_NULL, null=True, blank=True)
    subject = models.CharField(max_length=200)
    # The disputed API request.
    request_id = models.UUIDField(null=True, blank=True)
    # The Message-ID of a mail: it opens one request, however often it is delivered.
    mail_id = models.CharField(max_length=250, null=True, unique=True)  # noqa: DJ001
    created_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField()
    # When the sender proved to hold the account: before that no right is exercised.
    proven_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "request_id"],
                condition=models.Q(kind="dispute"),
                name="contact_dispute_unique",
            ),
            models.UniqueConstraint(
                fields=["user", "kind"],
                condition=models.Q(kind__in=["access", "deletion"])
                & models.Q(state__in=["open", "answered"]),
                name="contact_right_unique",
            ),
        ]
        indexes = [models.Index(fields=["state", "due_at"], name="contact_by_due")]

    def __str__(self) -> str:
        return f"{self.kind} {self.public_id}"


class ContactMessage(models.Model):
    """One message of a tracked request."""

    request = models.ForeignKey(ContactRequest, on_delete=models.CASCADE, related_name="messages")
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    is_from_staff = models.BooleanField(default=False)
    text = models.TextField(max_length=10_000)
    # Of a mail that was added to a request (a mail that opened one stands there).
    mail_id = models.CharField(max_length=250, null=True, unique=True)  # noqa: DJ001
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"message {self.pk} of {self.request_id}"


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
