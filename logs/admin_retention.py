"""Staff's desk for forgetting: its reports, and the legal holds that two of them make."""

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from accounts.admin_fixed import Fixed
from accounts.models import Account
from logs import holds
from logs.models import HeldRequest, LegalHold, ModelDay, RetentionRun, SecurityEntry

if TYPE_CHECKING:  # generic for the type checker only
    Base = admin.ModelAdmin[Any]
    Rows = QuerySet[LegalHold]
else:
    Base = admin.ModelAdmin
    Rows = QuerySet

MAY_ASK, MAY_DECIDE = "logs.add_legalhold", "logs.change_legalhold"
_REFUSALS = {
    "account": "There is no such account.",
    "reason": "Say why: an order's number, a law.",
    "end": f"A hold ends within {holds.DAYS_MAX} days from now.",
    "same": "Whoever asked for a hold cannot approve it.",
    "state": "It is approved, or over, already.",
}


class Outcome(admin.SimpleListFilter):
    """By how a run went."""

    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [
            ("complete", "complete"),
            ("held_back", "held back: the clock"),
            ("errors", "errors"),
            ("removed", "removed something"),
        ]

    def queryset(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[RetentionRun],
    ) -> QuerySet[RetentionRun]:
        match self.value():
            case "complete":
                return queryset.filter(is_complete=True)
            case "held_back":
                return queryset.filter(is_held_back=True)
            case "errors":
                return queryset.exclude(errors={})
            case "removed":
                return queryset.exclude(removed={})
            case _:
                return queryset


@admin.register(RetentionRun)
class RetentionRunAdmin(Fixed, Base):
    """What each run removed, latest first."""

    list_display = ["started_at", "actor", "rows", "kept", "is_complete", "problems"]
    list_filter = [Outcome, "actor", "started_at"]
    ordering = ["-started_at"]
    show_full_result_count = False

    @admin.display(description="removed")
    def rows(self, row: RetentionRun) -> str:
        return _told(row.removed)

    @admin.display(description="held")
    def kept(self, row: RetentionRun) -> str:
        return _told(row.held)

    @admin.display(description="problems")
    def problems(self, row: RetentionRun) -> str:
        clock = ["the clock jumped: nothing removed"] if row.is_held_back else []
        return "; ".join([*clock, *(f"{record}: {kind}" for record, kind in row.errors.items())])


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{record} {rows:,}" for record, rows in sorted(counts.items())) or "-"


class HoldForm(forms.Form):
    """Whose records are to be kept, why, and until when."""

    account = forms.UUIDField(help_text="The account's public id.")
    reason = forms.CharField(
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The order or law that asks for it, with its number.",
    )
    ends_on = forms.DateField(
        label="Until",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=f"The first day (UTC) without it, at most {holds.DAYS_MAX} days away.",
    )

    def account_id(self) -> int:
        """Return the account's number, 0 when there is none."""
        found = Account.objects.filter(public_id=self.cleaned_data["account"]).first()
        return found.pk if found else 0

    def ends_at(self) -> dt.datetime:
        """Return the end's first moment."""
        return dt.datetime.combine(self.cleaned_data["ends_on"], dt.time(), tzinfo=dt.UTC)


class Standing(admin.SimpleListFilter):
    """By whether a hold waits, is in force or over."""

    title = "standing"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [("waiting", "waits for approval"), ("in_force", "in force"), ("over", "over")]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:  # noqa: ARG002
        now = timezone.now()
        live = queryset.filter(ended_at=None, ends_at__gt=now)
        match self.value():
            case "waiting":
                return live.filter(approved_at=None)
            case "in_force":
                return live.exclude(approved_at=None)
            case "over":
                return queryset.exclude(pk__in=live.values("pk"))
            case _:
                return queryset


@admin.register(LegalHold)
class LegalHoldAdmin(Fixed, Base):
    """Holds; those that wait for a second person come first."""

    change_list_template = "admin/legal_holds.html"
    list_display = ["account_id", "standing", "reason", "ends_at", "requested_by", "approved_by",
                    "ended_by"]  # fmt: skip
    list_filter = [Standing, "ends_at"]
    search_fields = ["=account_id", "reason", "=requested_by"]
    ordering = [F("approved_at").asc(nulls_first=True), "-pk"]
    actions = ["approve", "end"]

    @admin.display(description="standing")
    def standing(self, row: LegalHold) -> str:
        if row.ended_at is not None or row.ends_at <= timezone.now():
            return "over"
        return "waits for approval" if row.approved_at is None else "in force"

    def get_urls(self) -> list[URLPattern]:
        ask = path("ask/", self.admin_site.admin_view(self.ask), name="logs_legalhold_ask")
        return [ask, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may_ask = request.user.has_perm(MAY_ASK)
        return super().changelist_view(request, {**(extra_context or {}), "may_ask": may_ask})

    def ask(self, request: HttpRequest) -> HttpResponse:
        """Show the form of a new hold; ask for it."""
        if not request.user.has_perm(MAY_ASK):
            raise PermissionDenied
        form = HoldForm(request.POST or None)
        if form.is_valid() and self._asked(request, form):
            return HttpResponseRedirect(reverse("admin:logs_legalhold_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": "Ask for a legal hold",
            "opts": self.opts,
            "form": form,
        }
        return TemplateResponse(request, "admin/legal_hold_ask.html", context)

    def _asked(self, request: HttpRequest, form: HoldForm) -> bool:
        try:
            holds.ask(
                account_id=form.account_id(),
                reason=form.cleaned_data["reason"],
                ends_at=form.ends_at(),
                actor=_actor(request),
                now=timezone.now(),
            )
        except holds.NoHold as refusal:
            field = {"end": "ends_on"}.get(refusal.rule, refusal.rule)
            form.add_error(field, _REFUSALS[refusal.rule])
            return False
        self.message_user(request, "It waits for another person's approval.", messages.SUCCESS)
        return True

    @admin.action(description="Approve: keep what would go", permissions=["decide"])
    def approve(self, request: HttpRequest, rows: Rows) -> None:
        self._decide(request, rows, is_approval=True)

    @admin.action(description="End: what is over goes with the next run", permissions=["decide"])
    def end(self, request: HttpRequest, rows: Rows) -> None:
        self._decide(request, rows, is_approval=False)

    def _decide(self, request: HttpRequest, rows: Rows, *, is_approval: bool) -> None:
        decide = holds.approve if is_approval else holds.end
        for row in rows:
            try:
                decide(row.pk, actor=_actor(request), now=timezone.now())
            except holds.NoHold as refusal:
                self.message_user(request, f"{row}: {_REFUSALS[refusal.rule]}", messages.ERROR)
                continue
            self.log_change(request, row, "Approved." if is_approval else "Ended.")
            self.message_user(request, f"{row}: done.", messages.SUCCESS)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Tell who may use the actions (Django asks by this name)."""
        return request.user.has_perm(MAY_DECIDE)


def _actor(request: HttpRequest) -> str:
    return f"staff:{request.user.pk}"


@admin.register(HeldRequest)
class HeldRequestAdmin(Fixed, Base):
    """Requests whose days are over and which a hold keeps."""

    list_display = ["created_at", "request_id", "account_id", "surface", "model", "status"]
    search_fields = ["=account_id", "=request_id"]
    ordering = ["-request_id"]
    show_full_result_count = False


@admin.register(SecurityEntry)
class SecurityEntryAdmin(Fixed, Base):
    """The log that a law asks for; empty where none does."""

    list_display = ["at", "source_ip", "account_id", "endpoint"]
    search_fields = ["=account_id", "=source_ip"]
    ordering = ["-id"]
    show_full_result_count = False


@admin.register(ModelDay)
class ModelDayAdmin(Fixed, Base):
    """What is left of days that are forgotten: sums of at least twenty accounts."""

    list_display = ["day", "model", "vendor", "jurisdiction", "accounts", "requests", "errors",
                    "input_tokens", "output_tokens"]  # fmt: skip
    list_filter = ["vendor", "jurisdiction", "day"]
    search_fields = ["=model"]
    ordering = ["-day", "-requests"]
