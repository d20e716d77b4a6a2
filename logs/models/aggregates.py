"""What is left of a day when its rows are gone: sums of many that are nobody's."""

from django.db import models


class ModelDay(models.Model):
    """How a model served everybody over a day of UTC: no account, and at least K of them."""

    day = models.DateField()
    # "other" and "": what had too few accounts to stand alone.
    model = models.CharField(max_length=160, blank=True)
    vendor = models.CharField(max_length=40, blank=True)
    jurisdiction = models.CharField(max_length=8, blank=True)
    accounts = models.IntegerField()
    requests = models.BigIntegerField()
    errors = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    cache_read_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    # How many answers took how long: counts by logs.latency's steps.
    latencies = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "model", "vendor", "jurisdiction"], name="model_day_unique"
            ),
            models.CheckConstraint(condition=models.Q(accounts__gte=20), name="model_day_of_many"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.day}"
