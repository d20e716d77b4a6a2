"""Staff's view of what people agreed to, were invited to and chose: to be read, never rewritten."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin_fixed import Fixed
from accounts.models import (
    BillingDetails,
    Consent,
    Invitation,
    NotificationPreference,
    PolicyVersion,
)

if TYPE_CHECKING:  # generic for the type checker only
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin


@admin.register(PolicyVersion)
class PolicyVersionAdmin(Fixed, Base):
    """Published versions of the legal documents."""

    change_list_template = "admin/policy_versions.html"
    list_display = ["document", "version", "is_material", "published_at", "announced_at",
                    "effective_at", "agreed", "summary"]  # fmt: skip
    list_filter = ["document", "is_material", "effective_at"]
    search_fields = ["=version", "=sha256", "summary"]
    ordering = ["-effective_at", "document"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PolicyVersion]:
        is_given = Q(consent__action=Consent.Action.GIVEN)
        users = Count("consent__user", filter=is_given, distinct=True)
        rows: QuerySet[PolicyVersion] = super().get_queryset(request).annotate(users=users)
        return rows

    @admin.display(description="users who agreed")
    def agreed(self, row: PolicyVersion) -> int:
        found: int = vars(row)["users"]  # annotated above
        return found


@admin.register(Consent)
class ConsentAdmin(Fixed, Base):
    """Who agreed to what and took it back, latest first."""

    list_display = ["created_at", "user", "purpose", "action", "version"]
    list_filter = ["purpose", "action", "created_at"]
    list_select_related = ["user", "version"]
    search_fields = ["user__email", "user__username"]
    search_help_text = "A user's address or username"
    ordering = ["-pk"]


@admin.register(Invitation)
class InvitationAdmin(Fixed, Base):
    """Who was invited into which account; a link's digest is never shown."""

    list_display = ["created_at", "account", "email", "role", "expires_at", "accepted_at",
                    "revoked_at"]  # fmt: skip
    list_filter = ["role", ("accepted_at", admin.EmptyFieldListFilter),
                   ("revoked_at", admin.EmptyFieldListFilter)]  # fmt: skip
    list_select_related = ["account"]
    search_fields = ["email", "account__name"]
    search_help_text = "An address, or an account's name"
    ordering = ["-pk"]
    exclude = ["digest"]
    actions = ["revoke"]

    @admin.action(description="Revoke: the link opens nothing any more", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        opened = queryset.filter(accepted_at=None, revoked_at=None)
        count = opened.update(revoked_at=timezone.now())
        self.message_user(request, f"Revoked {count} invitations.", messages.SUCCESS)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Whoever may change invitations at all; their rows stay read-only."""
        return request.user.has_perm("accounts.change_invitation")


@admin.register(BillingDetails)
class BillingDetailsAdmin(Fixed, Base):
    """What accounts want to read on their receipts."""

    list_display = ["account", "legal_name", "country", "tax_id", "email"]
    list_filter = ["country"]
    list_select_related = ["account"]
    search_fields = ["legal_name", "=tax_id", "account__name", "email"]


@admin.register(NotificationPreference)
class NotificationPreferenceAdmin(Fixed, Base):
    """By which ways people want to hear of what; a missing row means the default."""

    list_display = ["user", "kind", "by_email", "by_web", "by_sms"]
    list_filter = ["kind", "by_email", "by_web", "by_sms"]
    list_select_related = ["user"]
    search_fields = ["user__email", "user__username"]
