"""What is checked against the processors' books, and what accounts keep for theirs."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Account
from billing.models.orders import Order, Processor


class Suspense(models.Model):
    """Money or a notice that fits no order as it should: staff decide."""

    class Cause(models.TextChoices):
        UNKNOWN_ORDER = "unknown_order"
        WRONG_PROCESSOR = "wrong_processor"
        WRONG_AMOUNT = "wrong_amount"
        WRONG_CURRENCY = "wrong_currency"
        WRONG_MERCHANT = "wrong_merchant"
        WRONG_MODE = "wrong_mode"
        PAID_TWICE = "paid_twice"
        WRONG_STATE = "wrong_state"
        UNMATCHED_ROW = "unmatched_row"

    processor = models.CharField(max_length=10, choices=Processor.choices)
    # What it is about at the processor: one case for each.
    ref = models.CharField(max_length=160)
    cause = models.CharField(max_length=16, choices=Cause.choices)
    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, null=True, blank=True, related_name="suspense"
    )
    amount_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, blank=True)
    # True: the money is with us and stands in the ledger's suspense account.
    is_posted = models.BooleanField(default=False)
    facts = models.JSONField(default=dict, blank=True)
    opened_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    # "credited", "refunded", "dismissed".
    resolution = models.CharField(max_length=10, blank=True)
    resolved_by = models.CharField(max_length=80, blank=True)
    note = models.CharField(max_length=400, blank=True)

    class Meta:
        verbose_name_plural = "suspense"
        constraints = [
            models.UniqueConstraint(fields=["processor", "ref"], name="suspense_unique"),
        ]
        indexes = [
            models.Index(
                fields=["opened_at"],
                condition=Q(resolved_at__isnull=True),
                name="suspense_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cause} {self.ref}"


class StatementImport(models.Model):
    """One day of a processor's statement, as it was read."""

    processor = models.CharField(max_length=10, choices=Processor.choices)
    day = models.DateField()
    sha256 = models.BinaryField(max_length=32)
    rows = models.PositiveIntegerField()
    imported_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["processor", "day"], name="statement_import_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.processor} {self.day}"


class StatementRow(models.Model):
    """A line of a processor's statement, and what it is to us."""

    class Kind(models.TextChoices):
        PAYMENT = "payment"
        REFUND = "refund"
        DISPUTE = "dispute"
        FEE = "fee"
        PAYOUT = "payout"
        OTHER = "other"

    class Verdict(models.TextChoices):
        MATCHED = "matched"
        MISSING_LOCAL = "missing_local"
        MISSING_REMOTE = "missing_remote"  # a row of ours that the statement lacks
        AMOUNT_DIFF = "amount_diff"
        STATUS_DIFF = "status_diff"
        DUPLICATE = "duplicate"
        FEE = "fee"
        FEE_DIFF = "fee_diff"  # the processor kept more than is plausible

    class Resolution(models.TextChoices):
        """How a line left staff's queue: by itself, or by what staff decided."""

        SETTLED = "settled"  # a later statement, or the processor's answer, explained it
        EXPLAINED = "explained", "It is explained: no money is missing"
        SUSPENDED = "suspended", "Put the money aside: a case of suspense decides whose it is"
        WRITTEN_OFF = "written_off", "Book the difference as our loss or gain"

    processor = models.CharField(max_length=10, choices=Processor.choices)
    row_ref = models.CharField(max_length=160)
    day = models.DateField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    order_ref = models.CharField(max_length=64, blank=True)
    payment_ref = models.CharField(max_length=128, blank=True)
    refund_ref = models.CharField(max_length=128, blank=True)
    amount_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=24, blank=True)
    verdict = models.CharField(max_length=14, choices=Verdict.choices)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=11, choices=Resolution.choices, blank=True)
    resolved_by = models.CharField(max_length=80, blank=True)
    note = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["processor", "row_ref"], name="statement_row_unique"),
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=True, resolution="")
                | (Q(resolved_at__isnull=False) & ~Q(resolution="")),
                name="statement_row_resolution",
            ),
        ]
        indexes = [
            models.Index(fields=["processor", "day"], name="statement_row_by_day"),
            models.Index(fields=["processor", "payment_ref"], name="statement_row_by_payment"),
        ]
        permissions = [("write_off_statementrow", "Can write off lines of statements")]

    def __str__(self) -> str:
        return f"{self.processor} {self.row_ref}"


class Receipt(models.Model):
    """A numbered paper about one order, as it was issued; it never changes."""

    class Kind(models.TextChoices):
        RECEIPT = "receipt"
        CREDIT_NOTE = "credit_note"

    number = models.CharField(max_length=24, unique=True)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="receipts")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="receipts")
    # What it is about: the order's payment, or one refund or dispute of it.
    ref = models.CharField(max_length=80, unique=True)
    facts = models.JSONField()
    issued_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["account", "-issued_at"], name="receipt_by_account")]

    def __str__(self) -> str:
        return self.number


class PaperNumber(models.Model):
    """The last number of each series of papers: without gaps, under its row's lock."""

    series = models.CharField(max_length=16, primary_key=True)
    latest = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.series} {self.latest}"


class MonthlyStatement(models.Model):
    """An account's month: locked once issued; its sums are the ledger's."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="statements")
    month = models.DateField()  # its first day
    opening_nusd = models.BigIntegerField()
    closing_nusd = models.BigIntegerField()
    # Sums by kind of posting, in nano-USD, as decimal strings.
    sums = models.JSONField()
    facts = models.JSONField(default=dict)
    issued_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "month"], name="monthly_statement_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.month:%Y-%m}"


class FapiaoRequest(models.Model):
    """An account asks for a Chinese tax invoice for an order in CNY."""

    class State(models.TextChoices):
        ASKED = "asked"
        ISSUED = "issued"
        REFUSED = "refused"
        RED_ASKED = "red_asked"  # refunded: a red-letter invoice must follow
        RED_ISSUED = "red_issued"
        WITHDRAWN = "withdrawn"

    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="fapiao")
    # Who hears what becomes of it; none once that user is erased.
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    title = models.CharField(max_length=120)
    tax_number = models.CharField(max_length=40, blank=True)
    email = models.EmailField()
    # What was issued: number, date, and where its file lies at the tax office or in our archive.
    fapiao_number = models.CharField(max_length=40, blank=True)
    fapiao_date = models.DateField(null=True, blank=True)
    file_ref = models.CharField(max_length=200, blank=True)
    red_number = models.CharField(max_length=40, blank=True)
    red_date = models.DateField(null=True, blank=True)
    red_file_ref = models.CharField(max_length=200, blank=True)
    # Why it was refused; the payer reads it.
    note = models.CharField(max_length=400, blank=True)
    answered_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"fapiao for {self.order_id}"
