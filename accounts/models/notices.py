"""Which news a user hears, what was told, and by which way it went."""

from django.db import models
from django.db.models import Q

from accounts.models.people import Account, User
from accounts.timeids import uuid7


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


class Notification(models.Model):
    """One event that one user is told of, once: `key` names the event."""

    public_id = models.UUIDField(default=uuid7, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notifications")
    # The account that it is about; none when it is about the user.
    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    kind = models.CharField(max_length=32)
    key = models.CharField(max_length=160)
    # The words: templates/notices/<name>.txt, filled with the facts in the reader's language.
    name = models.CharField(max_length=40)
    facts = models.JSONField(default=dict)
    path = models.CharField(max_length=200)
    is_on_site = models.BooleanField()
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="notification_told_once"),
        ]
        indexes = [
            models.Index(
                fields=["user", "-id"], condition=Q(is_on_site=True), name="notification_by_user"
            ),
            models.Index(
                fields=["user"],
                condition=Q(is_on_site=True, read_at=None),
                name="notification_unread",
            ),
            models.Index(fields=["created_at"], name="notification_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.name} to {self.user_id}"


class Delivery(models.Model):
    """One way of one notification: what became of it, and when."""

    class Way(models.TextChoices):
        EMAIL = "email"
        WEB = "web"
        SMS = "sms"

    class State(models.TextChoices):
        WAITING = "waiting"
        SENDING = "sending"  # claimed; whoever claimed it may have died
        SENT = "sent"
        FAILED = "failed"

    public_id = models.UUIDField(default=uuid7, unique=True, editable=False)
    notification = models.ForeignKey(
        Notification, on_delete=models.CASCADE, related_name="deliveries"
    )
    way = models.CharField(max_length=5, choices=Way.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    # Where to, when not to the user's own address; emptied when it is done.
    address = models.EmailField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    # When the next try is due; of a claimed one, when somebody else may take it.
    next_try_at = models.DateTimeField(null=True, blank=True)
    # Our own word for why the latest try failed, never a server's text.
    error = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["notification", "way"], name="delivery_way_once"),
            models.CheckConstraint(
                condition=Q(
                    state__in=["waiting", "sending"], next_try_at__isnull=False, done_at=None
                )
                | Q(state__in=["sent", "failed"], next_try_at=None, done_at__isnull=False),
                name="delivery_due_or_done",
            ),
            models.CheckConstraint(
                condition=Q(address="") | Q(way="email", done_at=None),
                name="delivery_address_while_due",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(state__in=["waiting", "sending"]),
                name="delivery_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.way} of {self.notification_id}"
