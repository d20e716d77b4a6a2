"""Staff's register of what authorities ask; only members of the group `privacy` see it."""

import uuid
from functools import cache
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from accounts import disclosures, downloads
from accounts.admin_decisions import Decisions, Refused, Tool, staff
from accounts.admin_fixed import Fixed
from accounts.models import Account, Disclosure, DisclosureEvent, LeakedKey
from accounts.sealing import CannotSeal

if TYPE_CHECKING:  # generic for the type checker only
    InlineBase = admin.TabularInline[DisclosureEvent, Disclosure]
    FormBase = forms.ModelForm[Disclosure]
    Base = admin.ModelAdmin[LeakedKey]
else:
    InlineBase = admin.TabularInline
    FormBase = forms.ModelForm
    Base = admin.ModelAdmin

State = Disclosure.State
_ASKED = ("kind", "authority", "reference", "legal_basis", "secrecy_reason", "secrecy_until")


class Letter(FormBase):
    """What the authority's letter says."""

    account_number = forms.UUIDField(
        label="Account", help_text="The public id of the one account that the letter names."
    )

    class Meta:
        model = Disclosure
        fields = _ASKED

    def clean_account_number(self) -> uuid.UUID:
        number: uuid.UUID = self.cleaned_data["account_number"]
        self.account = Account.objects.filter(public_id=number).first()
        if self.account is None:
            raise forms.ValidationError("There is no such account.")
        return number

    def clean(self) -> dict[str, Any] | None:
        said = super().clean() or {}
        reason, until = said.get("secrecy_reason"), said.get("secrecy_until")
        if bool(reason) != bool(until) or (until and until <= timezone.now()):
            self.add_error(
                "secrecy_until", "A prohibition to tell has a reason and an end to come."
            )
        account = getattr(self, "account", None)
        same = {name: said.get(name) for name in ("authority", "reference")}
        if account is not None and Disclosure.objects.filter(account=account, **same).exists():
            self.add_error("reference", "This request about this account is in the register.")
        return said


class History(Fixed, InlineBase):
    """What was done, oldest first."""

    model = DisclosureEvent
    fields = readonly_fields = ("at", "action", "who", "note")
    ordering = ("pk",)
    extra = 0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)  # for each page anew
        self._name_of = cache(disclosures.name_of)

    @admin.display(description="by")
    def who(self, event: DisclosureEvent) -> str:
        """Name who did it, while that account is there."""
        return self._name_of(event.actor) if event.actor else "the program"


class Confirm(forms.Form):
    """A button is enough."""


class Refusal(forms.Form):
    """Why we do not hand anything over."""

    reason = forms.CharField(max_length=disclosures.NOTE_CHARS_MAX)


@admin.register(Disclosure)
class DisclosureAdmin(Decisions):
    """Requests of authorities; those that wait come first."""

    # What staff noted about an account is in its export: a prohibition to tell would be broken.
    is_noted = False
    form = Letter
    list_display = ("created_at", "kind", "authority", "reference", "state", "secrecy_until",
                    "delivered_at", "told_at")  # fmt: skip
    list_display_links = ("created_at", "reference")
    list_filter = ("state", "kind", ("told_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("=public_id", "reference", "authority", "=account__public_id")
    ordering = ("-created_at",)
    fields = readonly_fields = (
        "public_id", *_ASKED, "account", "state", "author", "created_at", "approvers",
        "delivered_at", "told_at",
    )  # fmt: skip
    inlines = (History,)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return disclosures.is_privacy_staff(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return disclosures.is_privacy_staff(request.user)

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        return disclosures.is_privacy_staff(request.user)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fields(request, obj) if obj else ("account_number", *_ASKED)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_readonly_fields(request, obj) if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return super().get_inlines(request, obj) if obj else ()

    def save_model(self, request: HttpRequest, obj: Disclosure, form: Any, change: bool) -> None:  # noqa: ARG002, FBT001
        asked = disclosures.Asked(**{name: form.cleaned_data[name] for name in _ASKED})  # type: ignore[typeddict-item]
        made = disclosures.record(
            account=form.account, by=staff(request), asked=asked, now=timezone.now()
        )
        obj.__dict__.update(made.__dict__)

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is not None and self.has_view_permission(request):
            disclosures.note_read(row, by=staff(request), now=timezone.now())
        return super().change_view(request, object_id, *args, **kwargs)

    @admin.display(description="written down by")
    def author(self, row: Disclosure) -> str:
        """Name who wrote it down, while that account is there."""
        return disclosures.name_of(row.created_by)

    @admin.display(description="allowed by")
    def approvers(self, row: Disclosure) -> str:
        """Name who allowed it, while those accounts are there."""
        marks = filter(None, (row.first_approver, row.second_approver))
        return ", ".join(map(disclosures.name_of, marks)) or "-"

    def tools(self, request: HttpRequest, row: Disclosure) -> list[Tool]:
        found = []
        mine = disclosures.mark(staff(request).pk)
        if row.state == State.OPEN and mine not in {row.created_by, row.first_approver}:
            found.append(Tool(slug="approve", name="Approve", form=Confirm, use=self._approve))
        if row.state in {State.OPEN, State.APPROVED}:
            found.append(Tool(slug="refuse", name="Refuse", form=Refusal, use=self._refuse))
        if row.state in {State.APPROVED, State.DELIVERED}:
            found.append(Tool(slug="export", name="Hand over", form=Confirm, use=self._export))
        return found

    def facts(self, row: Disclosure) -> list[tuple[str, str]]:
        return [
            ("Authority", row.authority),
            ("Case", row.reference),
            ("Legal basis", row.legal_basis),
            ("Account", f"{row.account} ({row.account.public_id})"),
            ("Secrecy", f"until {row.secrecy_until:%Y-%m-%d}" if row.secrecy_until else "none"),
        ]

    def _approve(self, request: HttpRequest, row: Disclosure, _said: dict[str, Any]) -> None:
        try:
            row = disclosures.approve(row, by=staff(request), now=timezone.now())
        except (disclosures.WrongState, disclosures.OwnRequest) as error:
            raise Refused("Somebody else was quicker, or you approved it before.") from error
        self.message_user(request, f"The request is {row.state}.", messages.SUCCESS)

    def _refuse(self, request: HttpRequest, row: Disclosure, said: dict[str, Any]) -> None:
        try:
            disclosures.refuse(row, by=staff(request), reason=said["reason"], now=timezone.now())
        except disclosures.WrongState as error:
            raise Refused("It was refused or handed over before.") from error

    def _export(
        self, request: HttpRequest, row: Disclosure, _said: dict[str, Any]
    ) -> HttpResponseBase:
        try:
            file = disclosures.hand_over(row, by=staff(request), now=timezone.now())
        except disclosures.WrongState as error:
            raise Refused("It is not approved, or was refused.") from error
        except CannotSeal as error:
            raise Refused("No credential key is configured to sign with.") from error
        except downloads.DiskFull as error:
            raise Refused("There is no room on the disk; nothing was handed over.") from error
        name = f"disclosure-{row.public_id}.zip"
        return downloads.Answer(file, as_attachment=True, filename=name)


@admin.register(LeakedKey)
class LeakedKeyAdmin(Fixed, Base):
    """Where keys were found in public; they were revoked at that moment."""

    list_display = ("received_at", "api_key", "source", "url")
    list_filter = ("source", "received_at")
    list_select_related = ("api_key",)
    search_fields = ("=api_key__last_four", "api_key__account__name")
    ordering = ("-pk",)
