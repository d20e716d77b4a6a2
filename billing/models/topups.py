"""What tops a wallet up by itself or without paying: saved cards, reminders, codes."""

from django.db import models
from django.db.models import F, Q

from accounts.models import Account


class PaymentMethod(models.Model):
    """A card that a processor keeps for an account; we keep its name there and four digits."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="payment_methods")
    processor = models.CharField(max_length=10)
    customer_ref = models.CharField(max_length=128)
    method_ref = models.CharField(max_length=128, unique=True)
    brand = models.CharField(max_length=20, blank=True)
    last4 = models.CharField(max_length=4, blank=True)
    expires_month = models.PositiveSmallIntegerField(null=True, blank=True)
    expires_year = models.PositiveSmallIntegerField(null=True, blank=True)
    card_digest = models.BinaryField(max_length=32, default=b"")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.brand} {self.last4}"


class AutoTopUp(models.Model):
    """Top up by itself below a threshold, within a monthly cap."""

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, primary_key=True, related_name="auto_top_up"
    )
    is_on = models.BooleanField(default=False)
    threshold_nusd = models.BigIntegerField()
    amount_minor = models.BigIntegerField()  # US cents
    monthly_cap_minor = models.BigIntegerField()
    method = models.ForeignKey(
        PaymentMethod, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # Failures in a row; at the limit it turns itself off and says why.
    failures = models.PositiveSmallIntegerField(default=0)
    off_reason = models.CharField(max_length=40, blank=True)
    latest_try_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0, monthly_cap_minor__gte=F("amount_minor")),
                name="auto_top_up_within_cap",
            ),
        ]
        indexes = [
            models.Index(
                fields=["latest_try_at"], condition=Q(is_on=True), name="auto_top_up_running"
            ),
        ]

    def __str__(self) -> str:
        return f"automatic top-up of {self.account_id}"


class BalanceReminder(models.Model):
    """Tells once when the balance falls below a threshold; armed again above it."""

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, primary_key=True, related_name="balance_reminder"
    )
    threshold_nusd = models.BigIntegerField()
    is_armed = models.BooleanField(default=True)
    latest_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"reminder of {self.account_id}"


class PromotionCode(models.Model):
    """A code that gives credit, once for each account."""

    code = models.CharField(max_length=32, unique=True)  # upper case
    amount_nusd = models.BigIntegerField()
    uses_max = models.PositiveIntegerField()
    uses = models.PositiveIntegerField(default=0)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    is_active = models.BooleanField(default=True)
    note = models.CharField(max_length=200, blank=True)
    created_by = models.CharField(max_length=80)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_nusd__gt=0), name="promotion_amount_gt_0"),
            models.CheckConstraint(
                condition=Q(uses__lte=F("uses_max")), name="promotion_uses_within"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class PromotionUse(models.Model):
    """An account used a code."""

    code = models.ForeignKey(PromotionCode, on_delete=models.PROTECT, related_name="used")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="promotions")
    used_by = models.CharField(max_length=80)
    used_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code", "account"], name="promotion_use_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.code_id} by {self.account_id}"
