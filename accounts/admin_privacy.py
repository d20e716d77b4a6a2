"""Staff's view of users who leave: what is due, what holds it up, and what was done.

Nothing here can be hurried: only its user asks for a closure, and only time ends the cooling.
"""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from accounts.admin_fixed import Fixed
from accounts.models import Closure

if TYPE_CHECKING:  # generic for the type checker only
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin


@admin.register(Closure)
class ClosureAdmin(Fixed, Base):
    """Closures; an ended one shows its certificate, which names nobody."""

    list_display = ["public_id", "state", "blocked_by", "asked_at", "due_at", "ended_at",
                    "cleared_at"]  # fmt: skip
    list_filter = ["state", "blocked_by", "due_at"]
    search_fields = ["=public_id"]
    search_help_text = "A certificate's number"
    ordering = ["-pk"]
    readonly_fields = (
        "public_id", "state", "blocked_by", "user", "asked_at", "due_at", "began_at", "ended_at",
        "cleared_at", "forfeit_nusd", "stores",
    )  # fmt: skip
    fields = readonly_fields

    @admin.display(description="certificate")
    def stores(self, closure: Closure) -> SafeString:
        """Show what was done, store by store."""
        rows = [
            (one["store"], one["ending"], one["rows"], one["why"])
            for one in closure.certificate.get("stores", [])
        ]
        return format_html_join("", "<div>{}: {} {} · {}</div>", rows)
