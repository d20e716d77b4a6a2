"""Staff's log of what was told: who, what kind, by which way, what became of it; no texts."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import deliveries
from accounts.admin_fixed import Fixed
from accounts.models import Delivery

if TYPE_CHECKING:  # generic for the type checker only
    Base = admin.ModelAdmin[Delivery]
else:
    Base = admin.ModelAdmin

AGAIN_MAX = 100


@admin.register(Delivery)
class DeliveryAdmin(Fixed, Base):
    """Each way of each notice, latest first. What a notice says stays between it and its reader."""

    list_display = [
        "created_at", "user", "kind", "name", "way", "state", "attempts", "error", "next_try_at",
        "done_at",
    ]  # fmt: skip
    list_filter = ["state", "way", "notification__kind", "notification__name", "created_at"]
    list_select_related = ["notification__user"]
    search_fields = [
        "notification__user__username", "notification__user__email", "=public_id",
        "notification__key",
    ]  # fmt: skip
    search_help_text = "A username, an address, a delivery's id, or the key of an event"
    ordering = ["-pk"]
    date_hierarchy = "created_at"
    show_full_result_count = False
    readonly_fields = [
        "public_id", "user", "kind", "name", "event", "way", "state", "attempts", "error",
        "created_at", "next_try_at", "done_at",
    ]  # fmt: skip
    fields = tuple(readonly_fields)
    actions = ["send_again"]

    @admin.display(ordering="notification__user__username")
    def user(self, row: Delivery) -> str:
        return str(row.notification.user)

    @admin.display(ordering="notification__kind")
    def kind(self, row: Delivery) -> str:
        return row.notification.kind

    @admin.display(ordering="notification__name")
    def name(self, row: Delivery) -> str:
        return row.notification.name

    @admin.display()
    def event(self, row: Delivery) -> str:
        return row.notification.key

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_delivery")

    @admin.action(description="Send again", permissions=["send_again"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        rows = queryset.select_related("notification").order_by("pk")[:AGAIN_MAX]
        sent: list[Any] = [one for one in rows if deliveries.send_again(one, now=timezone.now())]
        for one in sent:
            self.log_change(request, one, "Sent again.")
        messages.success(
            request, f"{len(sent)} go out again; what waits, or is on the site only, does not."
        )
