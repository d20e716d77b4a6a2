"""Which news a user hears."""

from django.db import models

from accounts.models.people import User


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
