"""Prices: dated cards and their rates."""

from django.db import models
from django.db.models import Q


class RateCard(models.Model):
    """All rates of one endpoint under one customer plan from a moment on; immutable."""

    plan = models.CharField(max_length=40, default="default")
    endpoint = models.CharField(max_length=250)
    valid_from = models.DateTimeField()
    markup_ppm = models.BigIntegerField(default=0)
    # Where the vendor's prices come from: a package and its version, a file, a person.
    source = models.CharField(max_length=120)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "endpoint", "valid_from"], name="rate_card_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} from {self.valid_from:%Y-%m-%d %H:%M}"


class Rate(models.Model):
    """One price: nano-USD for each unit of a class, from a number of prompt tokens on."""

    card = models.ForeignKey(RateCard, on_delete=models.PROTECT, related_name="rates")
    unit_class = models.CharField(max_length=24)  # billing.usage.UnitClass
    unit = models.CharField(max_length=12)  # billing.usage.Unit
    # This rate holds when the request's prompt tokens are above this number.
    tier_from = models.BigIntegerField(default=0)
    service_tier = models.CharField(max_length=20, default="standard")
    nusd_per_unit = models.BigIntegerField()
    vendor_nusd_per_unit = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["card", "unit_class", "tier_from", "service_tier"], name="rate_unique"
            ),
            models.CheckConstraint(
                condition=Q(nusd_per_unit__gte=0, vendor_nusd_per_unit__gte=0),
                name="rate_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit_class} {self.nusd_per_unit}"
