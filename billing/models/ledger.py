"""Double entry, and what an account owns."""

from django.db import models
from django.db.models import F, Q

from accounts.models import Account
from accounts.timeids import uuid7


class LedgerAccount(models.Model):
    """One side of the double entry: a wallet's owner, or an account of the platform."""

    class Kind(models.TextChoices):
        WALLET = "wallet"
        REVENUE = "revenue"
        PLATFORM_LOSS = "platform_loss"
        CLEARING_STRIPE = "clearing:stripe"
        CLEARING_ALIPAY = "clearing:alipay"
        CLEARING_WECHATPAY = "clearing:wechatpay"
        FX_CLEARING = "fx_clearing"
        FEES = "fees"
        RECEIVABLE = "receivable"
        PROMOTION = "promotion"
        TAX = "tax"
        BANK = "bank"  # our own account at a bank, where processors pay out
        FORFEITED = "forfeited"  # given up by who closed an account
        SUSPENSE = "suspense"  # came in, and nobody knows yet for whom

    kind = models.CharField(max_length=24, choices=Kind.choices)
    owner = models.ForeignKey(
        Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    currency = models.CharField(max_length=3, default="USD")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "owner", "currency"],
                condition=Q(owner__isnull=False),
                name="ledger_account_owned_unique",
            ),
            models.UniqueConstraint(
                fields=["kind", "currency"],
                condition=Q(owner__isnull=True),
                name="ledger_account_platform_unique",
            ),
            models.CheckConstraint(
                condition=Q(kind="wallet", owner__isnull=False)
                | (~Q(kind="wallet") & Q(owner__isnull=True)),
                name="ledger_account_wallet_has_owner",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.owner_id}" if self.owner_id else self.kind


class LedgerTransaction(models.Model):
    """One posting; (kind, ref) makes every posting idempotent."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=24)
    ref = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    actor = models.CharField(max_length=80)
    memo = models.CharField(max_length=200, blank=True)
    # Set once all entries stand; triggers then refuse a sum other than zero and further entries.
    sealed = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "ref"], name="ledger_transaction_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.ref}"


class LedgerEntry(models.Model):
    """One leg of a posting; append-only."""

    transaction = models.ForeignKey(
        LedgerTransaction, on_delete=models.PROTECT, related_name="entries"
    )
    seq = models.PositiveSmallIntegerField()
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="entries")
    amount_nusd = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(fields=["transaction", "seq"], name="ledger_entry_unique"),
            models.CheckConstraint(condition=~Q(amount_nusd=0), name="ledger_entry_not_zero"),
        ]
        indexes = [
            # In the order of time, for statements: ids of postings carry it.
            models.Index(fields=["account", "transaction"], name="ledger_entry_by_account"),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.amount_nusd}"


class Wallet(models.Model):
    """What an account owns. available = credit - debit - leased - reserved, never below zero."""

    account = models.OneToOneField(
        Account, on_delete=models.PROTECT, primary_key=True, related_name="wallet"
    )
    credit_nusd = models.BigIntegerField(default=0)
    debit_nusd = models.BigIntegerField(default=0)
    # What of the debit paid for requests; the sums by hour (SpendHour) add up to it.
    spent_nusd = models.BigIntegerField(default=0)
    leased_nusd = models.BigIntegerField(default=0)
    reserved_nusd = models.BigIntegerField(default=0)
    frozen = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(leased_nusd__gte=0), name="wallet_leased_gte_0"),
            models.CheckConstraint(condition=Q(reserved_nusd__gte=0), name="wallet_reserved_gte_0"),
            models.CheckConstraint(
                condition=Q(
                    credit_nusd__gte=F("debit_nusd") + F("leased_nusd") + F("reserved_nusd")
                ),
                name="wallet_available_gte_0",
            ),
        ]

    def __str__(self) -> str:
        return f"wallet of {self.account_id}"


class GoodwillDay(models.Model):
    """What an account was not asked to pay on a day, because a vendor broke off its answers."""

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="goodwill_days")
    day = models.DateField()
    given_nusd = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["wallet", "day"], name="goodwill_day_unique"),
            models.CheckConstraint(condition=Q(given_nusd__gte=0), name="goodwill_given_gte_0"),
        ]

    def __str__(self) -> str:
        return f"goodwill for {self.wallet_id} on {self.day}"
