"""Staff's view of money: follow an entry from the ledger to its lease and charges.

Nothing here moves money. Ledger, leases, charges and prices are read-only.
"""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join

from accounts.admin_decisions import FreshActions
from billing import (
    admin_books,
    admin_fapiao,
    admin_payments,
    admin_promotions,
    admin_reconciliation,
    wallets,
)
from billing.admin_tables import ReadOnly, link, money
from billing.models import (
    Attempt,
    Budget,
    Charge,
    GoodwillDay,
    Lease,
    LeaseBudget,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Rate,
    RateCard,
    SpendHour,
    Trial,
    Wallet,
    Worker,
)
from billing.money import display_usd

# Django finds the staff site's pages in this module alone.
__all__ = [
    "admin_books",
    "admin_fapiao",
    "admin_payments",
    "admin_promotions",
    "admin_reconciliation",
]

if TYPE_CHECKING:  # generic for the type checker only
    EntriesBase = admin.TabularInline[LedgerEntry, LedgerTransaction]
    RatesBase = admin.TabularInline[Rate, RateCard]
else:
    EntriesBase = RatesBase = admin.TabularInline


class EntryInline(EntriesBase):
    """The legs of a posting."""

    model = LedgerEntry
    extra = 0
    can_delete = False
    fields = readonly_fields = ("seq", "account", "amount")
    amount = money("amount_nusd", "amount")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


@admin.register(LedgerTransaction)
class LedgerTransactionAdmin(ReadOnly):
    """Postings; those of kind "lease" lead to their lease."""

    list_display = ("id", "kind", "ref", "created_at", "actor", "sealed", "source")
    list_filter = ("kind", "sealed", "created_at")
    search_fields = ("=ref", "=id", "actor")
    date_hierarchy = "created_at"
    inlines = (EntryInline,)

    @admin.display(description="follow")
    def source(self, row: LedgerTransaction) -> str:
        if row.kind == "lease":
            return link("billing_lease_changelist", f"lease {row.ref}", id__exact=row.ref)
        if row.kind == "correction":
            return link("billing_charge_changelist", "charge", q=row.ref)
        return "-"


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnly):
    """Single legs, by account."""

    list_display = ("transaction", "seq", "account", "amount")
    list_filter = ("account__kind", "account__currency")
    search_fields = ("=transaction__ref", "=account__owner__id", "account__owner__name")
    list_select_related = ("transaction", "account")
    amount = money("amount_nusd", "amount")


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ReadOnly):
    """The sides of the double entry."""

    list_display = ("kind", "owner", "currency", "entries_link")
    list_filter = ("kind", "currency")
    search_fields = ("owner__name", "=owner__id")
    list_select_related = ("owner",)

    @admin.display(description="entries")
    def entries_link(self, row: LedgerAccount) -> str:
        return link("billing_ledgerentry_changelist", "entries", account__exact=row.pk)


@admin.register(Wallet)
class WalletAdmin(FreshActions, ReadOnly):
    """What accounts own; freezing is all that staff may do to a wallet."""

    list_display = ("account", "available", "credit", "debit", "leased", "reserved", "frozen",
                    "leases_link")  # fmt: skip
    list_filter = ("frozen", "account__is_demo")
    search_fields = ("account__name", "=account__id", "account__members__email")
    list_select_related = ("account",)
    actions = ("freeze", "thaw")
    credit = money("credit_nusd", "credited")
    debit = money("debit_nusd", "debited")
    leased = money("leased_nusd", "leased")
    reserved = money("reserved_nusd", "reserved")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        shown = super().get_list_display(request)
        may_see = request.user.has_perm("billing.view_lease")
        return [name for name in shown if may_see or name != "leases_link"]

    @admin.display(description="available")
    def available(self, row: Wallet) -> str:
        return display_usd(row.credit_nusd - row.debit_nusd - row.leased_nusd - row.reserved_nusd)

    @admin.display(description="leases")
    def leases_link(self, row: Wallet) -> str:
        return link("billing_lease_changelist", "leases", wallet__exact=row.pk)

    @admin.action(description="Freeze: admit nothing more", permissions=["freeze"])
    def freeze(self, request: HttpRequest, rows: QuerySet[Wallet]) -> None:
        self._set(request, rows, is_frozen=True)

    @admin.action(description="Thaw", permissions=["freeze"])
    def thaw(self, request: HttpRequest, rows: QuerySet[Wallet]) -> None:
        self._set(request, rows, is_frozen=False)

    def has_freeze_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_wallet")

    def _set(self, request: HttpRequest, rows: QuerySet[Wallet], *, is_frozen: bool) -> None:
        changed = wallets.set_frozen(rows.values_list("pk", flat=True), is_frozen=is_frozen)
        word = "frozen" if is_frozen else "thawed"
        messages.success(request, f"{changed} wallets {word}.")


@admin.register(Lease)
class LeaseAdmin(ReadOnly):
    """Credit lent to workers; leads to its charges and its posting."""

    list_display = ("id", "wallet", "state", "amount", "spent", "created_at", "worker", "follow")
    list_filter = ("state", "created_at")
    search_fields = ("=id", "=wallet__account__id", "=worker")
    list_select_related = ("wallet",)
    amount = money("amount_nusd", "amount")
    spent = money("spent_nusd", "spent")

    @admin.display(description="follow")
    def follow(self, row: Lease) -> str:
        links = (
            (link("billing_charge_changelist", "charges", lease_id__exact=row.pk),),
            (link("billing_ledgertransaction_changelist", "posting", kind="lease", ref=row.pk),),
        )
        return format_html_join(" ", "{}", links)


@admin.register(Charge)
class ChargeAdmin(ReadOnly):
    """What single requests held and cost."""

    list_display = ("request_id", "state", "reason", "hold", "cost", "vendor_cost", "endpoint",
                    "corrected", "follow")  # fmt: skip
    list_filter = ("state", "reason", "corrected")
    search_fields = ("=request_id", "=lease_id", "=wallet_id", "=api_key_id")
    ordering = ("-request_id",)
    hold = money("hold_nusd", "hold")
    cost = money("cost_nusd", "cost")
    vendor_cost = money("vendor_cost_nusd", "vendor cost")

    @admin.display(description="follow")
    def follow(self, row: Charge) -> str:
        links = (
            (link("billing_lease_changelist", "lease", id__exact=row.lease_id),),
            (link("billing_attempt_changelist", "attempts", q=row.request_id),),
        )
        return format_html_join(" ", "{}", links)


@admin.register(Attempt)
class AttemptAdmin(ReadOnly):
    """Vendors dialled for requests."""

    list_display = ("request_id", "n", "endpoint", "outcome", "vendor_cost")
    list_filter = ("outcome",)
    search_fields = ("=request_id", "endpoint")
    vendor_cost = money("vendor_cost_nusd", "vendor cost")


@admin.register(Budget)
class BudgetAdmin(ReadOnly):
    """Money limits of API keys; owners set them on the keys page."""

    list_display = ("api_key", "period", "limit", "spent", "leased")
    list_filter = ("period",)
    search_fields = ("api_key__name", "=api_key__id", "api_key__account__name")
    list_select_related = ("api_key",)
    limit = money("limit_nusd", "limit")
    spent = money("spent_nusd", "spent")
    leased = money("leased_nusd", "leased")


@admin.register(LeaseBudget)
class LeaseBudgetAdmin(ReadOnly):
    """Which leases draw on which budgets."""

    list_display = ("lease", "budget")
    search_fields = ("=lease__id", "=budget__id")
    list_select_related = ("lease", "budget")


@admin.register(GoodwillDay)
class GoodwillDayAdmin(ReadOnly):
    """What was given back for answers that vendors broke off."""

    list_display = ("wallet", "day", "given")
    list_filter = ("day",)
    search_fields = ("=wallet__account__id",)
    list_select_related = ("wallet",)
    given = money("given_nusd", "given")


@admin.register(Worker)
class WorkerAdmin(ReadOnly):
    """Gateway workers and until when their lives are confirmed."""

    list_display = ("boot", "expires_at", "beat")
    search_fields = ("=boot",)


class RateInline(RatesBase):
    """The prices of a card."""

    model = Rate
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


@admin.register(RateCard)
class RateCardAdmin(ReadOnly):
    """Dated prices; immutable: a new price is a new card."""

    list_display = ("endpoint", "plan", "valid_from", "markup_ppm", "source")
    list_filter = ("plan", "valid_from")
    search_fields = ("endpoint", "source")
    date_hierarchy = "valid_from"
    inlines = (RateInline,)


@admin.register(Rate)
class RateAdmin(ReadOnly):
    """Single prices."""

    list_display = ("card", "unit_class", "unit", "tier_from", "service_tier", "nusd_per_unit",
                    "vendor_nusd_per_unit")  # fmt: skip
    list_filter = ("unit_class", "service_tier")
    search_fields = ("card__endpoint",)
    list_select_related = ("card",)


@admin.register(Trial)
class TrialAdmin(ReadOnly):
    """Money given to new people; digests of who they are stay unseen."""

    amount, returned = money("amount_nusd", "amount"), money("returned_nusd", "returned")
    list_display = ["account", "amount", "granted_at", "expires_at", "ended_at", "returned"]
    list_filter = [("ended_at", admin.EmptyFieldListFilter), "granted_at", "expires_at"]
    list_select_related = ["account"]
    search_fields = ["account__name", "=account__public_id"]
    ordering = ["-granted_at"]
    exclude = ["email_digest", "phone_digest", "network_digest"]


@admin.register(SpendHour)
class SpendHourAdmin(ReadOnly):
    """What accounts paid, hour by hour."""

    cost = money("cost_nusd", "cost")
    list_display = ["hour", "wallet_id", "api_key_id", "endpoint", "requests", "cost"]
    search_fields = ["=wallet_id", "=api_key_id", "endpoint"]
    ordering = ["-hour"]
