"""Staff's desk for credit that is given: promotion codes, and credit given by hand."""

import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts import step_up
from accounts.admin_decisions import Decisions, Facts, FreshActions, Refused, Tool, staff
from accounts.models import Account
from billing.admin_tables import AdminBase, ReadOnly, money
from billing.models import PromotionCode, PromotionUse, StaffCredit
from billing.money import BadAmount, display_usd, parse_usd
from billing.payments import giving

if TYPE_CHECKING:  # generic for the type checker only
    CodeForm = forms.ModelForm[PromotionCode]
else:
    CodeForm = forms.ModelForm

GIVE, REFUSE = "give", "refuse"
_FIELDS = {
    "amount": "amount", "reason": "reason", "own_account": "account", "form": None,
}  # fmt: skip
_RULES = {
    "amount": f"More than nothing, and no more than {display_usd(giving.GIVEN_NUSD_MAX)}.",
    "reason": "Write why.",
    "own_account": "You belong to this account: somebody else must do it.",
    "own_wish": "You asked for it: a second person must agree.",
    "decided": "It was decided before.",
    "form": "This form gave something else before. Begin again.",
}


def _amount(text: str) -> int:
    """Read an amount above zero, in nUSD. Raises: forms.ValidationError."""
    try:
        amount = parse_usd(text)
    except BadAmount as error:
        raise forms.ValidationError("Write an amount such as 5.00.") from error
    if amount <= 0:
        raise forms.ValidationError("It must give something.")
    return amount


class NewCode(CodeForm):
    """A new promotion code; its amount is in dollars."""

    amount = forms.CharField(max_length=20, help_text="US dollars for each account, such as 5.00.")

    class Meta:
        model = PromotionCode
        fields = ("code", "uses_max", "starts_at", "ends_at", "note")

    def clean_code(self) -> str:
        return str(self.cleaned_data["code"]).strip().upper()

    def clean_amount(self) -> int:
        return _amount(self.cleaned_data["amount"])

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("starts_at") and said.get("ends_at") and said["starts_at"] >= said["ends_at"]:
            self.add_error("ends_at", "It ends before it starts.")
        return said


@admin.register(PromotionCode)
class PromotionCodeAdmin(FreshActions, AdminBase):
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

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if self.has_add_permission(request) and not step_up.is_fresh(request):
            return step_up.ask(request, self.get_form(request)(request.POST or None))
        return super().add_view(request, form_url, extra_context)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        kept = step_up.typed(request)
        if kept is None:
            return super().get_changeform_initial_data(request)
        return {field.name: field.data for field in self.get_form(request)(kept)}

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


class GiveForm(forms.Form):
    """To whom, how much, and why."""

    account = forms.UUIDField(
        label="Account's number", error_messages={"invalid": "Write an account's public number."}
    )
    amount = forms.CharField(max_length=20, help_text="US dollars, such as 5.00.")
    reason = forms.CharField(
        max_length=giving.TEXT_MAX, help_text="It stays in the ledger. Write no personal data."
    )
    # Sent twice it gives once.
    form_id = forms.UUIDField(widget=forms.HiddenInput)

    def clean_account(self) -> Account:
        found = Account.objects.filter(public_id=self.cleaned_data["account"]).first()
        if found is None:
            raise forms.ValidationError("There is no such account.")
        return found

    def clean_amount(self) -> int:
        return _amount(self.cleaned_data["amount"])


class DecideForm(forms.Form):
    """What the second person says."""

    decision = forms.ChoiceField(
        widget=forms.RadioSelect, choices=[(GIVE, "Give it"), (REFUSE, "Give nothing")]
    )
    note = forms.CharField(label="Why", max_length=giving.TEXT_MAX)


@admin.register(StaffCredit)
class StaffCreditAdmin(Decisions):
    """Credit that staff gave or want to give: what waits for a second person comes first."""

    list_display = ("asked_at", "account", "amount", "state", "reason", "asked_by", "decided_by",
                    "decided_at", "note")  # fmt: skip
    list_filter = ("state", "asked_at")
    search_fields = ("=account__public_id", "account__name", "=asked_by", "=decided_by")
    list_select_related = ("account",)
    amount = money("amount_nusd", "amount")

    def get_queryset(self, request: HttpRequest) -> QuerySet[StaffCredit]:
        rows: QuerySet[StaffCredit] = super().get_queryset(request)
        return rows.order_by(F("decided_at").desc(nulls_first=True), "asked_at")

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        return request.user.has_perm(giving.MAY_ASK)

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",  # noqa: ARG002 - Django's signature
        extra_context: Any = None,  # noqa: ARG002 - Django's signature
    ) -> HttpResponse:
        """Give credit, or ask for a second person."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        first = {"account": request.GET.get("account", "")[:36], "form_id": uuid.uuid4()}
        form = partial(GiveForm, initial=first)
        tool = Tool(slug="give", name="Give credit", form=form, use=self._ask)
        alone = display_usd(giving.alone_nusd_max(staff(request)))
        # It hands out no file.
        return cast("HttpResponse", self.page(request, tool, [("You give alone up to", alone)]))

    def _ask(self, request: HttpRequest, _row: None, said: dict[str, Any]) -> HttpResponse:
        wish = giving.Wish(
            account=said["account"], amount_nusd=said["amount"], reason=said["reason"],
            form_id=said["form_id"],
        )  # fmt: skip
        try:
            made = giving.ask(wish, staff=staff(request), now=timezone.now())
        except giving.CannotGive as refusal:
            field = _FIELDS.get(refusal.rule)
            raise Refused(_RULES[refusal.rule], field=field) from refusal
        self.message_user(request, _told(made), messages.SUCCESS)
        return self.back(made)

    def tools(self, request: HttpRequest, row: StaffCredit) -> list[Tool]:  # noqa: ARG002
        return [
            Tool(slug="decide", name="Decide", form=DecideForm, use=self._decide,
                 permission=giving.MAY_AGREE, is_offered=row.state == StaffCredit.State.WAITING)
        ]  # fmt: skip

    def _decide(self, request: HttpRequest, row: StaffCredit, said: dict[str, Any]) -> None:
        decide = giving.agree if said["decision"] == GIVE else giving.refuse
        try:
            done = decide(row, staff=staff(request), note=said["note"], now=timezone.now())
        except giving.CannotGive as refusal:
            raise Refused(_RULES[refusal.rule], field="decision") from refusal
        self.message_user(request, _told(done), messages.SUCCESS)

    def facts(self, row: StaffCredit) -> Facts:
        return [
            ("Account", row.account.name),
            ("Amount", display_usd(row.amount_nusd)),
            ("Reason", row.reason),
            ("Asked by", f"{row.asked_by} at {row.asked_at:%Y-%m-%d %H:%M} UTC"),
        ]


def _told(credit: StaffCredit) -> str:
    amount = f"{display_usd(credit.amount_nusd)} for {credit.account.name}"
    words = {
        StaffCredit.State.WAITING: f"{amount} waits for a second person.",
        StaffCredit.State.GIVEN: f"{amount} is given.",
        StaffCredit.State.REFUSED: f"{amount} is refused.",
    }
    return words[StaffCredit.State(credit.state)]
