"""What every gateway worker must hear of."""

from django.db import models


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
        LIFT = "lift"  # ref: an address, sealed, whose block ends (routing/lifting.py)

    seq = models.BigIntegerField(primary_key=True)
    topic = models.CharField(max_length=12, choices=Topic.choices)
    ref = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        permissions = [("lift_block", "Can let an address in again")]

    def __str__(self) -> str:
        return f"{self.seq} {self.topic} {self.ref}"
