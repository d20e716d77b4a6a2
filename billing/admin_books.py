"""Staff's view of books and papers: statements, receipts, saved cards, promotion codes."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from billing.admin_tables import AdminBase, ReadOnly, minor, money
from billing.models import (
    AutoTopUp,
    BalanceReminder,
    FapiaoRequest,
    MonthlyStatement,
    PaperNumber,
    PaymentMethod,
    PromotionCode,
    PromotionUse,
    Receipt,
    StatementImport,
    StatementRow,
)
from billing.money import BadAmount, parse_usd

if TYPE_CHECKING:  # generic for the type checker only
    CodeForm = forms.ModelForm[PromotionCode]
else:
    CodeForm = forms.ModelForm


@admin.register(StatementImport)
class StatementImportAdmin(ReadOnly):
    """Which days of the processors' statements were read."""

    list_display = ("day", "processor", "rows", "imported_at")
    list_filter = ("processor", "day")
    search_fields = ("processor",)
    ordering = ("-day", "processor")
    exclude = ("sha256",)


@admin.register(StatementRow)
class StatementRowAdmin(ReadOnly):
    """Lines of the processors' statements, and what they are to us."""

    list_display = ("day", "processor", "kind", "verdict", "amount", "fee", "status", "order_ref",
                    "payment_ref", "resolved_at")  # fmt: skip
    list_filter = ("verdict", "processor", "kind", ("resolved_at", admin.EmptyFieldListFilter),
                   "day")  # fmt: skip
    search_fields = ("=row_ref", "=order_ref", "=payment_ref")
    ordering = ("-day", "-pk")
    amount, fee = minor("amount_minor", "amount"), minor("fee_minor", "fee")


@admin.register(Receipt)
class ReceiptAdmin(ReadOnly):
    """Numbered papers as they were issued."""

    list_display = ("issued_at", "number", "kind", "account", "order")
    list_filter = ("kind", "issued_at")
    search_fields = ("=number", "=order__id", "=account__public_id", "account__name")
    list_select_related = ("account", "order")
    ordering = ("-issued_at",)


@admin.register(PaperNumber)
class PaperNumberAdmin(ReadOnly):
    """The last number of each series of papers."""

    list_display = ("series", "latest")
    search_fields = ("series",)


@admin.register(MonthlyStatement)
class MonthlyStatementAdmin(ReadOnly):
    """Accounts' months; locked."""

    list_display = ("month", "account", "opening", "closing", "issued_at")
    list_filter = ("month",)
    search_fields = ("account__name", "=account__public_id")
    list_select_related = ("account",)
    ordering = ("-month", "account_id")
    opening, closing = money("opening_nusd", "opening"), money("closing_nusd", "closing")


@admin.register(FapiaoRequest)
class FapiaoRequestAdmin(ReadOnly):
    """Chinese tax invoices that accounts asked for."""

    list_display = ("created_at", "state", "order", "title", "fapiao_number", "red_number")
    list_filter = ("state", "created_at")
    search_fields = ("=order__id", "title", "=tax_number", "=fapiao_number")
    list_select_related = ("order",)
    ordering = ("-created_at",)


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnly):
    """Cards that processors keep for accounts; here are four digits."""

    list_display = ("created_at", "account", "processor", "brand", "last4", "expires_month",
                    "expires_year")  # fmt: skip
    list_filter = ("processor", "brand")
    search_fields = ("account__name", "=account__public_id", "=customer_ref")
    list_select_related = ("account",)
    ordering = ("-created_at",)
    exclude = ("card_digest",)


@admin.register(AutoTopUp)
class AutoTopUpAdmin(ReadOnly):
    """Accounts that top up by themselves."""

    list_display = ("account", "is_on", "threshold", "amount", "cap", "failures", "off_reason",
                    "latest_try_at")  # fmt: skip
    list_filter = ("is_on", "off_reason")
    search_fields = ("account__name", "=account__public_id")
    list_select_related = ("account",)
    threshold = money("threshold_nusd", "below")
    amount, cap = minor("amount_minor", "amount"), minor("monthly_cap_minor", "in a month")


@admin.register(BalanceReminder)
class BalanceReminderAdmin(ReadOnly):
    """Who wants to hear of a low balance."""

    list_display = ("account", "threshold", "is_armed", "latest_at")
    list_filter = ("is_armed",)
    search_fields = ("account__name", "=account__public_id")
    list_select_related = ("account",)
    threshold = money("threshold_nusd", "below")


class NewCode(CodeForm):
    """A new promotion code; its amount is in dollars."""

    amount = forms.CharField(max_length=20, help_text="US dollars for each account, such as 5.00.")

    class Meta:
        model = PromotionCode
        fields = ("code", "uses_max", "starts_at", "ends_at", "note")

    def clean_code(self) -> str:
        return str(self.cleaned_data["code"]).strip().upper()

    def clean_amount(self) -> int:
        try:
            amount = parse_usd(self.cleaned_data["amount"])
        except BadAmount as error:
            raise forms.ValidationError("Write an amount such as 5.00.") from error
        if amount <= 0:
            raise forms.ValidationError("It must give something.")
        return amount

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("starts_at") and said.get("ends_at") and said["starts_at"] >= said["ends_at"]:
            self.add_error("ends_at", "It ends before it starts.")
        return said


@admin.register(PromotionCode)
class PromotionCodeAdmin(AdminBase):
    """Codes that give credit: made here, stopped here, never changed or deleted."""

    form = NewCode
    list_display = ("code", "amount", "uses", "uses_max", "starts_at", "ends_at", "is_active",
                    "created_by")  # fmt: skip
    list_filter = ("is_active", "starts_at", "ends_at")
    search_fields = ("code", "note")
    ordering = ("-starts_at",)
    actions = ("stop",)
    amount = money("amount_nusd", "amount")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002
        if obj is None:
            return ["code", "amount", "uses_max", "starts_at", "ends_at", "note"]
        return [*self.list_display, "note"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj is None else self.get_fields(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        obj.amount_nusd = form.cleaned_data["amount"]
        obj.created_by = f"staff:{request.user.pk}"
        super().save_model(request, obj, form, change)

    @admin.action(description="Stop: gives nothing more", permissions=["stop"])
    def stop(self, request: HttpRequest, rows: QuerySet[PromotionCode]) -> None:
        stopped = rows.filter(is_active=True).update(is_active=False)
        self.message_user(request, f"Stopped {stopped} codes.", messages.SUCCESS)

    def has_stop_permission(self, request: HttpRequest) -> bool:
        """Tell who may use the action (Django asks by this name)."""
        return request.user.has_perm("billing.change_promotioncode")


@admin.register(PromotionUse)
class PromotionUseAdmin(ReadOnly):
    """Which accounts used which codes."""

    list_display = ("used_at", "code", "account", "used_by")
    list_filter = ("used_at",)
    search_fields = ("code__code", "account__name", "=account__public_id")
    list_select_related = ("code", "account")
    ordering = ("-used_at",)
