"""Staff's view of papers, and of what tops wallets up: receipts, statements, saved cards."""

from django.contrib import admin

from billing.admin_tables import ReadOnly, minor, money
from billing.models import (
    AutoTopUp,
    BalanceReminder,
    MonthlyStatement,
    PaperNumber,
    PaymentMethod,
    Receipt,
)


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
