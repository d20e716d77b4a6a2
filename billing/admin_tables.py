"""What the staff site's tables of money have in common: nobody edits them, all show amounts."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from billing.money import CENT, decimal_usd, display_usd

if TYPE_CHECKING:  # generic for the type checker only
    AdminBase = admin.ModelAdmin[Any]
else:
    AdminBase = admin.ModelAdmin


def money(field: str, name: str) -> Any:
    """Make a list column that shows an amount for people and sorts by the number."""

    @admin.display(description=name, ordering=field, empty_value="-")
    def column(_: Any, row: Model) -> str | None:
        value = getattr(row, field)
        return None if value is None else display_usd(value)

    return column


def minor(field: str, name: str, *, of: str = "") -> Any:
    """Make a list column of minor units; `of` names the relation that knows the currency."""

    @admin.display(description=name, ordering=field, empty_value="-")
    def column(_: Any, row: Model) -> str:
        return display_minor(getattr(row, field), getattr(getattr(row, of, row), "currency", ""))

    return column


def display_minor(amount: int, currency: str) -> str:
    """Write an amount of minor units for people: `USD 12.34`."""
    whole, rest = divmod(abs(amount), 100)
    sign = "-" if amount < 0 else ""
    return f"{sign}{currency} {whole:,}.{rest:02d}".strip()


def display_nano(amount: int, currency: str) -> str:
    """Write billionths of a currency's unit for people: `USD 12.34`, exactly where it is less."""
    cents, rest = divmod(amount, CENT)
    return f"{currency} {decimal_usd(amount)}" if rest else display_minor(cents, currency)


def link(view: str, text: str, **filters: object) -> str:
    """Make a link to a list, filtered."""
    query = "&".join(f"{key}={value}" for key, value in filters.items())
    return format_html('<a href="{}?{}">{}</a>', reverse(f"admin:{view}"), query, text)


class ReadOnly(AdminBase):
    """A table that nobody edits by hand."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False
