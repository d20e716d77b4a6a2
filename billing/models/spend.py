"""Sums of what was spent."""

from django.db import models


class SpendHour(models.Model):
    """What an account paid in an hour of UTC, written when a lease closes: exact, and small."""

    wallet_id = models.BigIntegerField()
    hour = models.DateTimeField()
    # 0 and "": not known.
    api_key_id = models.BigIntegerField(default=0)
    endpoint = models.CharField(max_length=250, default="", blank=True)
    requests = models.BigIntegerField(default=0)
    cost_nusd = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["wallet_id", "hour", "api_key_id", "endpoint"], name="spend_hour_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.wallet_id} {self.hour:%Y-%m-%d %H}"
