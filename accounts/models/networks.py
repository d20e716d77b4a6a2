"""From where users and keys were seen, as keyed digests: enough to know what is new."""

from django.db import models
from django.db.models import Q

from accounts.models.api_keys import ApiKey
from accounts.models.people import User


class KnownDevice(models.Model):
    """A family of devices in a network from which a user logged in (accounts.persons)."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    digest = models.BinaryField(max_length=32)
    # Empty where none is known (accounts.geography).
    country = models.CharField(max_length=2, blank=True, default="")
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "digest"], name="known_device_unique"),
        ]

    def __str__(self) -> str:
        return f"device {self.pk} of {self.user_id}"


class KeyNetwork(models.Model):
    """A network from which a key was used."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    digest = models.BinaryField(max_length=32)
    # Empty where none is known (accounts.geography).
    country = models.CharField(max_length=2, blank=True, default="")
    seen_at = models.DateTimeField()
    # False until somebody decided whether its owners hear of it.
    is_told = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "digest"], name="key_network_unique"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(is_told=False), name="key_network_new"),
        ]

    def __str__(self) -> str:
        return f"network {self.pk} of {self.api_key_id}"
