"""What somebody asks of the operator, tracked until it is answered."""

from django.db import models

from accounts.models.people import Account, User
from accounts.timeids import uuid7


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
