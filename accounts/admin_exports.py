"""Staff's list of exports: who, when, what became of it, never what is in it; and its start."""

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import exports
from accounts.admin_fixed import Fixed
from accounts.models import ContactRequest, Export, User

if TYPE_CHECKING:  # generic for the type checker only
    ExportBase = admin.ModelAdmin[Export]
else:
    ExportBase = admin.ModelAdmin


@admin.register(Export)
class ExportAdmin(Fixed, ExportBase):
    """Exports, newest first; the file is its user's alone, and no page of staff's reads it."""

    list_display = [
        "public_id", "user", "state", "asked_at", "ended_at", "rows", "bytes", "downloads",
        "expires_at", "failure", "started_by",
    ]  # fmt: skip
    list_filter = ["state", "failure", ("started_by", admin.EmptyFieldListFilter)]
    search_fields = ["=public_id", "=user__email", "=user__username"]
    search_help_text = "An export's number, or its user's whole address or name"
    list_select_related = ["user", "started_by"]
    ordering = ["-pk"]
    fields = [
        "public_id", "user", "state", "asked_at", "started_by", "request", "attempts",
        "rows_done", "rows_total", "ended_at", "rows", "bytes", "sha256", "expires_at",
        "downloads", "downloaded_at", "failure",
    ]  # fmt: skip
    actions = ["cancel"]

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Tell who may use the action (Django asks by this name)."""
        return request.user.has_perm("accounts.change_export")

    @admin.action(description="Cancel what is under way", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Export]) -> None:
        now = timezone.now()
        canceled = [row for row in queryset if exports.cancel(row, now=now)]
        for row in canceled:
            self.log_change(request, row, "Canceled.")
        self.message_user(request, f"Canceled {len(canceled)} exports.", messages.SUCCESS)


class StartsExports:
    """An action for the list of requests: start the export that a proven one asks for."""

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Tell who may use the action (Django asks by this name)."""
        return request.user.has_perm("accounts.add_export")

    @admin.action(description="Start the export of proven requests", permissions=["export"])
    def start_export(self, request: HttpRequest, queryset: QuerySet[ContactRequest]) -> None:
        started = [row for row in queryset if self._start(request, row)]
        text = f"Started {len(started)} exports; only their users can download them."
        self.message_user(request, text, messages.SUCCESS)  # type: ignore[attr-defined]

    def _start(self, request: HttpRequest, row: ContactRequest) -> bool:
        staff = request.user
        if not isinstance(staff, User):  # the permission lets nobody else through
            return False
        try:
            made = exports.start_for(row, staff=staff, now=timezone.now())
        except exports.NotProven:
            why = "its sender has not proved an account, or it asks for something else"
        except exports.AlreadyRunning:
            why = "an export of its user is under way"
        except exports.TooMany:
            why = "its user had many exports today"
        else:
            self.log_change(request, row, f"Started export {made.public_id}.")  # type: ignore[attr-defined]
            return True
        self.message_user(request, f"{row}: not started, {why}.", messages.WARNING)  # type: ignore[attr-defined]
        return False
