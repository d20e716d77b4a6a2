"""Money that comes in: orders, what processors told us of them, refunds and disputes.

Amounts of money are integers in the currency's minor unit (`_minor`: cents, fen) or nano-USD.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.models import Account
from accounts.timeids import uuid7


class Processor(models.TextChoices):
    """Who moves the money."""

    STRIPE = "stripe"
    ALIPAY = "alipay"
    WECHATPAY = "wechatpay"


class Order(models.Model):
    """A top-up: what is to be paid, how, and what became of it."""

    class State(models.TextChoices):
        CREATED = "created"
        PENDING = "pending"  # the processor knows it
        PAID = "paid"
        PART_REFUNDED = "part_refunded"
        REFUNDED = "refunded"
        DISPUTED = "disputed"
        LOST = "lost"
        WON = "won"
        CLOSED = "closed"
        FAILED = "failed"

    class Purpose(models.TextChoices):
        TOP_UP = "top_up"
        AUTOMATIC = "automatic"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="orders")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # The same key of the same account is the same order, however often it is sent.
    idempotency_key = models.CharField(max_length=64)
    purpose = models.CharField(max_length=10, choices=Purpose.choices, default=Purpose.TOP_UP)
    processor = models.CharField(max_length=10, choices=Processor.choices)
    # How it is paid there: "checkout", "page", "wap", "qr", "h5", "jsapi", "off_session".
    method = models.CharField(max_length=12)
    state = models.CharField(max_length=14, choices=State.choices, default=State.CREATED)
    # Paid with a real processor's live mode; False: its test mode, or our sandbox.
    is_live = models.BooleanField()

    # Three numbers: the price, the tax on top of it, and the credit for the price.
    currency = models.CharField(max_length=3)
    net_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField(default=0)
    credit_nusd = models.BigIntegerField()
    # The frozen quote: minor units of `currency` for 1 USD, in millionths of a whole unit.
    rate_ppm = models.BigIntegerField(default=1_000_000)
    rate_source = models.CharField(max_length=40, blank=True)
    refunded_minor = models.BigIntegerField(default=0)

    # The processor's names for it: its session or prepayment, and the payment itself.
    session_ref = models.CharField(max_length=128, blank=True)
    payment_ref = models.CharField(max_length=128, blank=True)
    # Where the payer goes, or what the QR code says.
    pay_url = models.TextField(blank=True)
    failure = models.CharField(max_length=40, blank=True)

    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    # The next time to ask the processor; NULL: nothing is open.
    next_check_at = models.DateTimeField(null=True, blank=True)
    checks = models.PositiveIntegerField(default=0)
    paid_at = models.DateTimeField(null=True, blank=True)

    # For fraud rules: keyed digests, and the country of the account.
    network_digest = models.BinaryField(max_length=32, default=b"")
    card_digest = models.BinaryField(max_length=32, default=b"")
    # What would answer a dispute: versions of the policies, country, dates. No content.
    evidence = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "idempotency_key"], name="order_idempotency_unique"
            ),
            models.UniqueConstraint(
                fields=["processor", "payment_ref"],
                condition=~Q(payment_ref=""),
                name="order_payment_unique",
            ),
            models.CheckConstraint(condition=Q(net_minor__gt=0), name="order_net_gt_0"),
            models.CheckConstraint(condition=Q(tax_minor__gte=0), name="order_tax_gte_0"),
            models.CheckConstraint(condition=Q(credit_nusd__gt=0), name="order_credit_gt_0"),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0)
                & Q(refunded_minor__lte=F("net_minor") + F("tax_minor")),
                name="order_refunded_within",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-created_at", "-id"], name="order_by_account"),
            models.Index(
                fields=["account", "state", "-created_at", "-id"], name="order_by_account_state"
            ),
            models.Index(
                fields=["next_check_at"],
                condition=Q(next_check_at__isnull=False),
                name="order_to_check",
            ),
            models.Index(
                fields=["processor", "session_ref"],
                condition=~Q(session_ref=""),
                name="order_by_session",
            ),
            models.Index(fields=["processor", "paid_at"], name="order_by_payment_time"),
            models.Index(fields=["card_digest", "created_at"], name="order_by_card"),
            models.Index(fields=["network_digest", "created_at"], name="order_by_network"),
        ]

    def __str__(self) -> str:
        return f"order {self.number}"

    @property
    def number(self) -> str:
        """The order's name at processors: 32 hexadecimal digits."""
        return self.id.hex

    @property
    def total_minor(self) -> int:
        """What the payer pays."""
        return self.net_minor + self.tax_minor


class OrderEvent(models.Model):
    """A line of an order's timeline, as its user and staff read it."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="timeline")
    at = models.DateTimeField()
    # A code of billing.payments.timeline, and what its words need.
    code = models.CharField(max_length=32)
    facts = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=14, choices=Order.State.choices)
    actor = models.CharField(max_length=80)

    class Meta:
        indexes = [models.Index(fields=["order", "at", "id"], name="order_event_by_order")]

    def __str__(self) -> str:
        return f"{self.code} of {self.order_id}"


class WebhookEvent(models.Model):
    """A verified notice of a processor: what it says, without the payer's data, and its fate."""

    class Outcome(models.TextChoices):
        APPLIED = "applied"
        REPEATED = "repeated"  # what it says stood already
        IGNORED = "ignored"  # a kind that changes nothing here
        SUSPENDED = "suspended"  # staff decide: billing.models.Suspense

    processor = models.CharField(max_length=10, choices=Processor.choices)
    event_id = models.CharField(max_length=128)
    kind = models.CharField(max_length=32)
    sha256 = models.BinaryField(max_length=32)
    # billing.processors.base.Notice, as JSON.
    notice = models.JSONField()
    received_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["processor", "event_id"], name="webhook_event_unique"),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(applied_at__isnull=True),
                name="webhook_event_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.processor} {self.event_id}"


class Refund(models.Model):
    """Money on its way back to the payer. The wallet pays when it is asked for."""

    class State(models.TextChoices):
        ASKED = "asked"  # stored, not yet sent
        PENDING = "pending"
        SUCCEEDED = "succeeded"
        FAILED = "failed"  # the wallet has its money back

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="refunds")
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    amount_minor = models.BigIntegerField()
    # What of it is tax, and how the rest was taken: from the wallet, or owed by the account.
    tax_minor = models.BigIntegerField(default=0)
    wallet_nusd = models.BigIntegerField(default=0)
    owed_nusd = models.BigIntegerField(default=0)
    refund_ref = models.CharField(max_length=128, blank=True)
    reason = models.CharField(max_length=40, blank=True)
    actor = models.CharField(max_length=80)
    failure = models.CharField(max_length=40, blank=True)
    # One form asks once for one refund of each order, however often it is sent.
    form_id = models.UUIDField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    next_check_at = models.DateTimeField(null=True, blank=True)
    checks = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["order", "form_id"],
                condition=Q(form_id__isnull=False),
                name="refund_form_unique",
            ),
            models.UniqueConstraint(
                fields=["order", "refund_ref"],
                condition=~Q(refund_ref=""),
                name="refund_ref_unique",
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_amount_gt_0"),
            models.CheckConstraint(
                condition=Q(wallet_nusd__gte=0, owed_nusd__gte=0, tax_minor__gte=0),
                name="refund_parts_gte_0",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_check_at"],
                condition=Q(next_check_at__isnull=False),
                name="refund_to_check",
            ),
        ]

    def __str__(self) -> str:
        return f"refund {self.id.hex}"


class Dispute(models.Model):
    """A payer's bank asks for the money back."""

    class State(models.TextChoices):
        INQUIRY = "inquiry"  # a question; no money moves
        OPEN = "open"  # the amount is reserved in the wallet, or taken already
        WON = "won"
        LOST = "lost"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="disputes")
    dispute_ref = models.CharField(max_length=128)
    state = models.CharField(max_length=10, choices=State.choices)
    amount_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField(default=0)
    # What is held in the wallet now; what the account owes because it was not there.
    reserved_nusd = models.BigIntegerField(default=0)
    owed_nusd = models.BigIntegerField(default=0)
    taken_nusd = models.BigIntegerField(default=0)
    # What of the amount that was taken is tax.
    tax_minor = models.BigIntegerField(default=0)
    # All that was told of it, sorted; the state follows from it, in whatever order it came.
    said = models.JSONField(default=list, blank=True)
    reason = models.CharField(max_length=40, blank=True)
    opened_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "dispute_ref"], name="dispute_unique"),
            models.CheckConstraint(
                condition=Q(reserved_nusd__gte=0, owed_nusd__gte=0, taken_nusd__gte=0),
                name="dispute_parts_gte_0",
            ),
        ]

    def __str__(self) -> str:
        return f"dispute {self.dispute_ref}"


class Debt(models.Model):
    """What an account owes us: refunds and disputes beyond what its wallet held."""

    account = models.OneToOneField(
        Account, on_delete=models.PROTECT, primary_key=True, related_name="debt"
    )
    owed_nusd = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(owed_nusd__gte=0), name="debt_gte_0"),
        ]

    def __str__(self) -> str:
        return f"debt of {self.account_id}"


class Hold(models.Model):
    """What an account may not do for a while because of a payment that may not be good."""

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, primary_key=True, related_name="hold"
    )
    # Kept to cheap models until then; NULL: not, or not any more.
    until = models.DateTimeField(null=True, blank=True)
    # A code of billing.holds.
    reason = models.CharField(max_length=20, blank=True)
    # Its wallet was frozen by a dispute or a debt, not by staff: it thaws when those are over.
    is_frozen = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["until"], condition=Q(until__isnull=False), name="hold_running_by_end"
            ),
        ]

    def __str__(self) -> str:
        return f"hold of {self.account_id}"
