"""Staff's view of users, accounts and keys. A key's digest is never shown."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import (
    admin_agreements,
    admin_contact,
    admin_disclosures,
    admin_notices,
    admin_privacy,
    changes,
    keys,
    owners,
    scopes,
)
from accounts.models import Account, ApiKey, Change, ChangeSequence, Closure, Membership, User

# Django finds the staff site's pages in this module alone.
__all__ = [
    "admin_agreements",
    "admin_contact",
    "admin_disclosures",
    "admin_notices",
    "admin_privacy",
]

if TYPE_CHECKING:  # generic for the type checker only
    AccountBase = admin.ModelAdmin[Account]
    KeyBase = admin.ModelAdmin[ApiKey]
    MembershipBase = admin.ModelAdmin[Membership]
    MembershipsBase = admin.TabularInline[Membership, Account]
    UserBase = DjangoUserAdmin[User]
    KeyForm = forms.ModelForm[ApiKey]
    ReadOnlyBase = admin.ModelAdmin[Any]
    CreationForm = AdminUserCreationForm[User]
else:
    CreationForm = AdminUserCreationForm
    AccountBase = KeyBase = MembershipBase = ReadOnlyBase = admin.ModelAdmin
    MembershipsBase = admin.TabularInline
    UserBase = DjangoUserAdmin
    KeyForm = forms.ModelForm


class ReadOnly(ReadOnlyBase):
    """Rows that nobody adds, changes or deletes by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


class NewUser(CreationForm):
    """The form that adds a user: with an address, which is how people log in."""

    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("username", "email")


@admin.register(User)
class UserAdmin(UserBase):
    """People; search by username, address or display name."""

    add_form = NewUser
    list_display = ["username", "email", "display_name", "is_active", "is_staff", "date_joined"]
    list_filter = [
        "is_active",
        "is_staff",
        "is_superuser",
        ("phone_verified_at", admin.EmptyFieldListFilter),
        "groups",
        "date_joined",
    ]
    search_fields = ["username", "email", "display_name", "=phone"]
    search_help_text = "A username, an address, a name, or a whole phone number (+41...)"
    ordering = ["-date_joined"]
    # A number that nobody proved must not be trusted: its owner sets it.
    readonly_fields = ["phone", "phone_verified_at", "last_login", "date_joined"]
    actions = ["lock_out", "let_in"]
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("email", "display_name", "phone", "phone_verified_at")}),
        (
            "Permissions",
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "email", "usable_password", "password1", "password2")}),
    )

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001
        super().save_model(request, obj, form, change)
        if not change:
            owners.open_account(obj)

    @admin.action(
        description="Lock out: end all sessions and refuse log-in (keys go on)",
        permissions=["change"],
    )
    def lock_out(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        others = queryset.exclude(pk=request.user.pk or 0)  # nobody locks out themselves
        count = sum(owners.lock_out(user) for user in others)
        self.message_user(request, f"Locked out {count} users.", messages.SUCCESS)

    @admin.action(description="Let in again", permissions=["change"])
    def let_in(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        # Who is being erased does not come back.
        going = Closure.objects.filter(state=Closure.State.CLOSING).values("user")
        rows = queryset.filter(is_active=False).exclude(pk__in=going)
        count = rows.update(is_active=True)
        self.message_user(request, f"Let in {count} users.", messages.SUCCESS)


class Memberships(MembershipsBase):
    """Who belongs to an account."""

    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Account)
class AccountAdmin(AccountBase):
    """Payers; a change of state or limits is announced to every worker."""

    list_display = [
        "id",
        "name",
        "is_active",
        "is_organization",
        "is_demo",
        "is_trial",
        "country",
        "key_count",
        "created_at",
    ]
    list_display_links = ["id", "name"]
    list_filter = ["is_active", "is_organization", "is_demo", "is_trial", "country", "created_at"]
    search_fields = ["name", "=public_id", "members__email", "members__username"]
    search_help_text = "A name, a public id, or a member's address or username"
    ordering = ["-pk"]
    # What its owner attested and chose, and what billing keeps of it, is not staff's to write.
    readonly_fields = [
        "public_id",
        "is_organization",
        "is_trial",
        "country",
        "country_attested_at",
        "ownership_attested_at",
        "ownership_denied_at",
        "allowed_jurisdictions",
        "created_at",
    ]
    inlines = [Memberships]
    actions = ["close", "reopen"]

    def get_readonly_fields(self, request: HttpRequest, obj: Account | None = None) -> list[str]:
        fields = list(super().get_readonly_fields(request, obj))
        # What was given to a demo must never become money for real vendors.
        return [*fields, "is_demo"] if obj is not None else fields

    @admin.display(description="active keys")
    def key_count(self, account: Account) -> int:
        return account.api_keys.filter(disabled_at=None).count()

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:  # noqa: FBT001
        super().save_model(request, obj, form, change)
        if change:
            changes.announce(Change.Topic.ACCOUNT, str(obj.pk))

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:  # noqa: ARG002
        return False  # its ledger stays; close it

    @admin.action(description="Close: refuse the keys of these accounts", permissions=["change"])
    def close(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        self._switch(request, queryset, is_active=False)

    @admin.action(description="Reopen", permissions=["change"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        self._switch(request, queryset, is_active=True)

    @transaction.atomic
    def _switch(
        self, request: HttpRequest, queryset: QuerySet[Account], *, is_active: bool
    ) -> None:
        ids = list(queryset.exclude(is_active=is_active).values_list("pk", flat=True))
        Account.objects.filter(pk__in=ids).update(is_active=is_active)
        for account_id in ids:
            changes.announce(Change.Topic.ACCOUNT, str(account_id))
        word = "Reopened" if is_active else "Closed"
        self.message_user(request, f"{word} {len(ids)} accounts.", messages.SUCCESS)


class KeyState(admin.SimpleListFilter):
    """By what a key would answer now."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [(word, word) for word in ("active", "expired", "paused", "disabled")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:  # noqa: ARG002
        now = timezone.now()
        match self.value():
            case "active":
                live = queryset.filter(disabled_at=None, paused_at=None)
                return live.exclude(expires_at__lte=now)
            case "paused":
                return queryset.filter(disabled_at=None).exclude(paused_at=None)
            case "expired":
                return queryset.filter(disabled_at=None, expires_at__lte=now)
            case "disabled":
                return queryset.exclude(disabled_at=None)
            case _:
                return queryset


class KeyScope(KeyForm):
    """The restrictions of a key, read as they are when a key is minted."""

    class Meta:
        model = ApiKey
        fields = ["name", "allowed_models", "allowed_ips", "expires_at"]

    def clean_allowed_models(self) -> list[str]:
        return self._clean(scopes.clean_models, self.cleaned_data["allowed_models"])

    def clean_allowed_ips(self) -> list[str]:
        return self._clean(scopes.clean_networks, self.cleaned_data["allowed_ips"])

    def _clean(self, read: Any, value: Any) -> list[str]:
        if value in (None, ""):
            return []
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise forms.ValidationError("Write a JSON list of texts.")
        try:
            found: list[str] = read(value)
        except scopes.InvalidScope as error:
            raise forms.ValidationError(str(error)) from error
        return found


@admin.register(ApiKey)
class ApiKeyAdmin(KeyBase):
    """Keys by name, last four and account; staff restrict and disable them, but mint none."""

    form = KeyScope
    list_display = [
        "id",
        "name",
        "last_four",
        "account",
        "created_by",
        "is_demo",
        "is_management",
        "has_budget",
        "expires_at",
        "paused_at",
        "disabled_at",
        "created_at",
    ]
    list_display_links = ["id", "name"]
    list_filter = [KeyState, "purpose", "is_demo", "is_management", "has_budget", "created_at"]
    list_select_related = ["account", "created_by"]
    search_fields = ["name", "=last_four", "account__name", "created_by__email"]
    search_help_text = "A name, the last four characters, an account's name or a user's address"
    ordering = ["-pk"]
    readonly_fields = [
        "account",
        "created_by",
        "last_four",
        "is_demo",
        "is_management",
        "has_budget",
        "purpose",
        "cost_center",
        "allowed_jurisdictions",
        "requests_per_minute_max",
        "replaces",
        "limits_of",
        "pepper_version",
        "paused_at",
        "disabled_at",
        "deleted_at",
        "created_at",
    ]
    fields = [*KeyScope.Meta.fields, *readonly_fields]
    actions = ["disable"]

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False  # the text would have to be shown; owners mint their own

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:  # noqa: ARG002
        return False  # requests and budgets refer to it; disable it

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:  # noqa: FBT001
        super().save_model(request, obj, form, change)
        changes.announce(Change.Topic.KEY, str(obj.pk))

    @admin.action(
        description="Disable for good, on every worker within a second",
        permissions=["change"],
    )
    def disable(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        count = sum(keys.disable(key) for key in queryset)
        self.message_user(request, f"Disabled {count} keys.", messages.SUCCESS)


@admin.register(Membership)
class MembershipAdmin(MembershipBase):
    """Who belongs where."""

    list_display = ["user", "account", "role", "created_at"]
    list_filter = ["role", "created_at"]
    list_select_related = ["user", "account"]
    search_fields = ["user__email", "user__username", "account__name"]
    autocomplete_fields = ["user", "account"]
    readonly_fields = ["created_at"]


@admin.register(Change)
class ChangeAdmin(ReadOnly):
    """What workers were told within the last hour."""

    list_display = ["seq", "topic", "ref", "created_at"]
    list_filter = ["topic"]
    search_fields = ["=ref"]
    ordering = ["-seq"]


@admin.register(ChangeSequence)
class ChangeSequenceAdmin(ReadOnly):
    """The number of the latest change."""

    list_display = ["seq"]
    search_fields = ["=seq"]
