"""Credit lent to workers, and what requests hold and cost."""

from django.db import models
from django.db.models import F, Q

from accounts.models import ApiKey
from billing.models.ledger import Wallet


class Worker(models.Model):
    """One life of a gateway worker; its row carries the life of all its leases."""

    boot = models.UUIDField(primary_key=True)
    expires_at = models.DateTimeField()
    # Counts renewals, so that a sweeper sees whether the row lived on since it last looked.
    beat = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.boot)


class Budget(models.Model):
    """A money limit of one API key."""

    class Period(models.TextChoices):
        TOTAL = "total"
        DAILY = "daily"
        WEEKLY = "weekly"
        MONTHLY = "monthly"

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="budgets")
    period = models.CharField(max_length=8, choices=Period.choices, default=Period.TOTAL)
    # The first day, in UTC, of the window that `spent_nusd` counts; NULL: the limit holds in total.
    period_start = models.DateField(null=True, blank=True)
    limit_nusd = models.BigIntegerField()
    spent_nusd = models.BigIntegerField(default=0)
    leased_nusd = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "period"], name="budget_key_period_unique"),
            models.CheckConstraint(condition=Q(leased_nusd__gte=0), name="budget_leased_gte_0"),
            models.CheckConstraint(condition=Q(spent_nusd__gte=0), name="budget_spent_gte_0"),
            models.CheckConstraint(
                condition=Q(period="total", period_start__isnull=True)
                | (~Q(period="total") & Q(period_start__isnull=False)),
                name="budget_window_when_recurring",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.period} budget of key {self.api_key_id}"


class Lease(models.Model):
    """Credit lent to one worker, from which it admits requests without a query."""

    class State(models.TextChoices):
        ACTIVE = "active"
        DRAINING = "draining"  # no new intents; extensions and settles allowed
        CLOSED = "closed"
        RECLAIMED = "reclaimed"  # closed by a sweeper

    # No foreign key: a worker's row is deleted at its end, its leases stay.
    worker = models.UUIDField()
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="leases")
    amount_nusd = models.BigIntegerField()
    spent_nusd = models.BigIntegerField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_nusd__gte=0), name="lease_amount_gte_0"),
            models.CheckConstraint(
                condition=Q(spent_nusd__isnull=True)
                | (Q(spent_nusd__gte=0) & Q(spent_nusd__lte=F("amount_nusd"))),
                name="lease_spent_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["active", "draining"], spent_nusd__isnull=True)
                | Q(state__in=["closed", "reclaimed"], spent_nusd__isnull=False),
                name="lease_spent_when_closed",
            ),
        ]
        indexes = [
            models.Index(
                fields=["worker"],
                condition=Q(state__in=["active", "draining"]),
                name="lease_live_by_worker",
            ),
            models.Index(
                fields=["wallet"],
                condition=Q(state__in=["active", "draining"]),
                name="lease_live_by_wallet",
            ),
        ]

    def __str__(self) -> str:
        return f"lease {self.pk}"


class LeaseBudget(models.Model):
    """A lease draws on these budgets as well as on its wallet."""

    lease = models.ForeignKey(Lease, on_delete=models.PROTECT, related_name="lease_budgets")
    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="lease_budgets")
    # The window that the lease was taken in, and that pays for it (billing/windows.py).
    period_start = models.DateField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["lease", "budget"], name="lease_budget_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.lease_id} on {self.budget_id}"


class Charge(models.Model):
    """What one request holds and, once ended, what it cost. Daily partitions on PostgreSQL."""

    class State(models.TextChoices):
        OPEN = "open"
        SETTLED = "settled"
        ESTIMATED = "estimated"
        VOIDED = "voided"

    class Reason(models.TextChoices):
        NORMAL = "normal"
        NO_USAGE = "no_usage"
        CLIENT_GONE = "client_gone"
        DRAINED = "drained"
        UPSTREAM_ERROR = "upstream_error"
        GOODWILL = "goodwill"
        CUT = "cut"
        CRASH = "crash"
        REFUSED = "refused"

    request_id = models.UUIDField(primary_key=True)
    # Plain numbers, not foreign keys: rows come by thousands a second and go by partition.
    lease_id = models.BigIntegerField()
    wallet_id = models.BigIntegerField()
    api_key_id = models.BigIntegerField(null=True)
    hold_nusd = models.BigIntegerField()
    checkpoint_nusd = models.BigIntegerField(default=0)
    cost_nusd = models.BigIntegerField(null=True)
    # What the vendor's list price makes of it; what the platform may owe.
    vendor_cost_nusd = models.BigIntegerField(null=True)
    endpoint = models.CharField(max_length=250, null=True)  # noqa: DJ001 - unknown until dialled
    rate_card = models.BigIntegerField(null=True)
    # The vendor's own usage numbers as JSON of integers; never text from outside.
    usage = models.TextField(null=True)  # noqa: DJ001 - NULL: the vendor gave none
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    reason = models.CharField(  # noqa: DJ001 - NULL while open
        max_length=16, choices=Reason.choices, null=True
    )
    corrected = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(hold_nusd__gte=0), name="charge_hold_gte_0"),
            models.CheckConstraint(
                condition=Q(cost_nusd__isnull=True)
                | (Q(cost_nusd__gte=0) & Q(cost_nusd__lte=F("hold_nusd"))),
                name="charge_cost_within_hold",
            ),
            models.CheckConstraint(
                condition=Q(checkpoint_nusd__gte=0) & Q(checkpoint_nusd__lte=F("hold_nusd")),
                name="charge_checkpoint_within_hold",
            ),
            models.CheckConstraint(
                condition=Q(state="open", cost_nusd__isnull=True)
                | (~Q(state="open") & Q(cost_nusd__isnull=False)),
                name="charge_cost_when_ended",
            ),
        ]
        indexes = [models.Index(fields=["lease_id"], name="charge_by_lease")]

    def __str__(self) -> str:
        return str(self.request_id)


class Attempt(models.Model):
    """A vendor dialled for a request: what the platform may owe; never billed a second time."""

    class Outcome(models.TextChoices):
        DELIVERED = "delivered"
        CONNECT_ERROR = "connect_error"
        TIMEOUT = "timeout"
        RATE_LIMITED = "rate_limited"
        VENDOR_ERROR = "vendor_error"
        AUTH_REFUSED = "auth_refused"
        ABANDONED = "abandoned"

    request_id = models.UUIDField()
    n = models.PositiveSmallIntegerField()
    endpoint = models.CharField(max_length=250)
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    vendor_cost_nusd = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request_id", "n"], name="attempt_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} #{self.n}"
