"""Sums of requests by hour and day."""

from django.db import models


class UsageHour(models.Model):
    """Sums of an account's requests over an hour of UTC, written with the rows themselves."""

    account_id = models.BigIntegerField()
    hour = models.DateTimeField()
    # 0 and "": not known.
    api_key_id = models.BigIntegerField(default=0)
    model = models.CharField(max_length=160, default="", blank=True)
    vendor = models.CharField(max_length=40, default="", blank=True)
    requests = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    cost_nusd = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "hour", "api_key_id", "model", "vendor"],
                name="usage_hour_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.hour:%Y-%m-%d %H}"


class LabelHour(models.Model):
    """Sums of an account's requests over an hour of UTC by a label of the caller's."""

    class Kind(models.TextChoices):
        TAG = "tag"
        END_USER = "end_user"

    account_id = models.BigIntegerField()
    hour = models.DateTimeField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    label = models.CharField(max_length=64)
    requests = models.BigIntegerField(default=0)
    cost_nusd = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "hour", "kind", "label"], name="label_hour_unique"
            ),
        ]
        indexes = [
            # For the forgetting: end users go with the log, tags stay.
            models.Index(
                fields=["hour"], condition=models.Q(kind="end_user"), name="label_hour_end_user"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.hour:%Y-%m-%d %H} {self.label}"


class LatencyDay(models.Model):
    """How many of an account's answers over a day of UTC took how long, in steps of latency."""

    account_id = models.BigIntegerField()
    day = models.DateField()
    model = models.CharField(max_length=160, default="", blank=True)
    # The step's number (logs.latency): each is a fixed factor longer than the one before.
    step = models.SmallIntegerField()
    requests = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "day", "model", "step"], name="latency_day_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.day} #{self.step}"


class ServiceHour(models.Model):
    """How an endpoint served everybody over an hour of UTC: sums that name no account."""

    hour = models.DateTimeField()
    endpoint = models.CharField(max_length=250)
    vendor = models.CharField(max_length=40)
    requests = models.BigIntegerField(default=0)
    failures = models.BigIntegerField(default=0)  # the vendor's, not the caller's
    # How many accounts asked: what may be published depends on it.
    accounts = models.IntegerField(default=0)
    # How many first bytes came within which step: counts in the order of logs.service_hours.STEPS.
    first_bytes = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["hour"], name="service_hour_by_hour")]
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "hour"], name="service_hour_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.hour:%Y-%m-%d %H}"


class RebuildTurn(models.Model):
    """One row: how often sums were rebuilt. Whoever counts on finds that nobody else did."""

    number = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.number)
