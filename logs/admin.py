"""Staff's view of the request log: read only, since nobody rewrites what happened."""

import uuid
from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from logs import admin_archive
from logs.models import RequestLog

if TYPE_CHECKING:  # generic for the type checker only
    Base = admin.ModelAdmin[RequestLog]
else:
    Base = admin.ModelAdmin

__all__ = ["admin_archive"]  # registered by being loaded

_CLASSES = {"2": "answered", "4": "refused", "5": "failed"}


class StatusFilter(admin.SimpleListFilter):
    """By the class of the status, without a scan for the values that occur."""

    title = "outcome"
    parameter_name = "class"

    def lookups(self, request: HttpRequest, model_admin: Base) -> list[tuple[str, str]]:
        del request, model_admin
        return list(_CLASSES.items())

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[RequestLog]
    ) -> QuerySet[RequestLog]:
        del request
        if self.value() not in _CLASSES:
            return queryset
        first = int(str(self.value())) * 100
        return queryset.filter(status__gte=first, status__lt=first + 100)


@admin.register(RequestLog)
class RequestLogAdmin(Base):
    """Newest first; search by request id, account id, model, channel or error code."""

    list_display = [
        "created_at",
        "request_id",
        "account_id",
        "surface",
        "model",
        "channel",
        "status",
        "error_code",
        "cost_nusd",
        "first_byte_ms",
        "total_ms",
    ]
    list_filter = [StatusFilter, "is_stream", "is_estimated"]
    search_fields = ["model"]  # shows the search box; get_search_results says what it finds
    search_help_text = "A request id, an account id, or a whole model, channel or error code"
    ordering = ["-request_id"]
    list_per_page = 50
    show_full_result_count = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[RequestLog], search_term: str
    ) -> tuple[QuerySet[RequestLog], bool]:
        del request
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(request_id=uuid.UUID(term)), False
        except ValueError:
            pass
        if term.isascii() and term.isdecimal() and len(term) < 19:
            return queryset.filter(account_id=int(term)), False
        return queryset.filter(Q(model=term) | Q(channel=term) | Q(error_code=term)), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        del request
        return False

    def has_change_permission(self, request: HttpRequest, obj: RequestLog | None = None) -> bool:
        del request, obj
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RequestLog | None = None) -> bool:
        del request, obj
        return False
