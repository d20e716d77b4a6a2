"""Staff's desk for money that comes in: orders, refunds within limits, disputes, suspense."""

from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from accounts.admin_decisions import Decisions, Facts, FreshActions, Refused, Tool, actor
from billing import holds
from billing.admin_evidence import GivesPack, LeadsToPack
from billing.admin_tables import ReadOnly, display_minor, link, minor, money
from billing.models import (
    Debt,
    Dispute,
    Hold,
    Order,
    OrderEvent,
    Refund,
    Suspense,
    WebhookEvent,
)
from billing.payments import refund_rules, refunds, resolving, returning
from billing.processors import base

if TYPE_CHECKING:  # generic for the type checker only
    TimelineBase = admin.TabularInline[OrderEvent, Order]
    RefundsBase = admin.TabularInline[Refund, Order]
else:
    TimelineBase = RefundsBase = admin.TabularInline

MAY_REFUND, MAY_FORCE = "billing.add_refund", "billing.change_debt"
MAY_RESOLVE = "billing.change_suspense"
_REFUSALS = {
    "state": "Nothing of it can go back: it is not paid, or a dispute holds it.",
    "amount": "That is more than is left of the order.",
    "spent": "The wallet does not hold so much. Forcing it makes the account owe the rest.",
    "limit": "That is above what staff may send back of one order.",
    "changed": "Something went back of it meanwhile: look at it again.",
}
_UNRESOLVED = {
    "resolved": "It was decided before.",
    "no_money": "There is no money of it here, or its payment has no name.",
    "money": "Its money must go somewhere: credit it, or send it back.",
    "no_order": "Nobody knows whose it is: it can only be sent back.",
    "currency": "The order is in another currency: it can only be sent back.",
    "refused": "The processor will not send it back.",
}


class Inline:
    """Rows of a page that nobody edits by hand."""

    extra = 0
    can_delete = False

    def has_add_permission(self, *_args: Any) -> bool:
        return False

    def has_change_permission(self, *_args: Any) -> bool:
        return False


class Timeline(Inline, TimelineBase):
    """What happened to an order, oldest first."""

    model = OrderEvent
    verbose_name_plural = "timeline"
    fields = readonly_fields = ("at", "code", "facts", "state", "actor")
    ordering = ("at", "id")


class Refunds(Inline, RefundsBase):
    """What went back of an order."""

    model = Refund
    fields = readonly_fields = ("created_at", "state", "amount", "reason", "actor", "failure")
    ordering = ("created_at",)
    amount = minor("amount_minor", "amount", of="order")


class RefundForm(forms.Form):
    """How much of an order staff send back, and why."""

    amount = forms.DecimalField(
        min_value=0, max_digits=12, decimal_places=2,
        help_text="In the order's currency, with its tax.",
    )  # fmt: skip
    reason = forms.CharField(max_length=40, help_text="Short; the payer may read it.")
    is_forced = forms.BooleanField(
        label="Force", required=False,
        help_text="What the wallet lacks is owed by the account, and its wallet is frozen.",
    )  # fmt: skip
    # What had gone back when the form was shown: sent twice it is one refund.
    refunded_minor = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, data: QueryDict | None, *, initial: dict[str, Any], may_force: bool) -> None:
        super().__init__(data, initial=initial)
        if not may_force:
            del self.fields["is_forced"]


@admin.register(Order)
class OrderAdmin(Decisions, GivesPack):
    """Top-ups with their timeline."""

    list_display = ("created_at", "account", "state", "total", "credit", "processor", "method",
                    "purpose", "is_live", "id")  # fmt: skip
    list_display_links = ("created_at", "id")
    list_filter = ("state", "processor", "purpose", "currency", "is_live", "created_at")
    search_fields = ("=id", "=payment_ref", "=session_ref", "=account__public_id", "account__name")
    search_help_text = "An order's or payment's number, or an account"
    list_select_related = ("account",)
    ordering = ("-created_at",)
    exclude = ("network_digest", "card_digest", "idempotency_key")
    inlines = (Timeline, Refunds)
    total, credit = minor("total_minor", "total"), money("credit_nusd", "credit")
    total.admin_order_field = None  # a sum of two columns

    def tools(self, request: HttpRequest, row: Order) -> list[Tool]:
        left = returning.remaining_minor(row)
        first = {"amount": f"{left // 100}.{left % 100:02d}", "refunded_minor": row.refunded_minor}
        can_go_back = row.state in refund_rules.REFUNDABLE and row.refunded_minor < row.total_minor
        form = partial(RefundForm, initial=first, may_force=request.user.has_perm(MAY_FORCE))
        return [
            Tool(slug="refund", name="Refund", form=form, use=self._refund, permission=MAY_REFUND,
                 is_offered=can_go_back)
        ]  # fmt: skip

    def _refund(self, request: HttpRequest, row: Order, said: dict[str, Any]) -> None:
        terms = refunds.Terms(
            is_staff=True,
            is_forced=said.get("is_forced", False),
            refunded_minor=said["refunded_minor"],
        )
        try:
            refund = refunds.start(
                row, int(said["amount"] * 100), reason=said["reason"], actor=actor(request),
                now=timezone.now(), terms=terms,
            )  # fmt: skip
        except refund_rules.RefundRefused as refusal:
            raise Refused(_REFUSALS[refusal.rule], field="amount") from refusal
        self.message_user(request, f"The refund is {refund.state}.", messages.SUCCESS)

    def facts(self, row: Order) -> Facts:
        return [
            ("Paid", display_minor(row.total_minor, row.currency)),
            ("Can still go back", display_minor(returning.remaining_minor(row), row.currency)),
        ]


@admin.register(OrderEvent)
class OrderEventAdmin(ReadOnly):
    """Lines of timelines, over all orders."""

    list_display = ("at", "order", "code", "state", "actor")
    list_filter = ("code", "at")
    search_fields = ("=order__id", "actor")
    list_select_related = ("order",)
    ordering = ("-at",)


@admin.register(Refund)
class RefundAdmin(ReadOnly):
    """Money on its way back; the wallet paid when it was asked for."""

    list_display = ("created_at", "state", "order", "amount", "wallet", "owed", "reason", "actor",
                    "failure", "id")  # fmt: skip
    list_filter = ("state", "order__processor", "created_at")
    search_fields = ("=id", "=order__id", "=refund_ref", "actor")
    list_select_related = ("order",)
    ordering = ("-created_at",)
    amount = minor("amount_minor", "amount", of="order")
    wallet, owed = money("wallet_nusd", "from the wallet"), money("owed_nusd", "owed")


@admin.register(Dispute)
class DisputeAdmin(LeadsToPack, ReadOnly):
    """What payers' banks ask back; they are answered at the processor."""

    list_display = ("opened_at", "state", "order", "amount", "fee", "reserved", "taken", "owed",
                    "reason", "dispute_ref")  # fmt: skip
    list_filter = ("state", "order__processor", "opened_at")
    search_fields = ("=dispute_ref", "=order__id", "=order__account__public_id")
    list_select_related = ("order",)
    ordering = ("-opened_at",)
    amount = minor("amount_minor", "amount", of="order")
    fee = minor("fee_minor", "fee", of="order")
    reserved, taken = money("reserved_nusd", "set aside"), money("taken_nusd", "taken")
    owed = money("owed_nusd", "owed")


@admin.register(Debt)
class DebtAdmin(ReadOnly):
    """What accounts owe; their next payment pays it."""

    list_display = ("account", "owed", "orders")
    search_fields = ("account__name", "=account__public_id")
    list_select_related = ("account",)
    ordering = ("-owed_nusd",)
    owed = money("owed_nusd", "owed")

    @admin.display(description="orders")
    def orders(self, row: Debt) -> str:
        return link("billing_order_changelist", "orders", account__exact=row.pk)


@admin.register(Hold)
class HoldAdmin(FreshActions, ReadOnly):
    """Accounts kept to cheap models for a while, or frozen by a dispute or debt."""

    list_display = ("account", "reason", "until", "is_frozen")
    list_filter = ("reason", "is_frozen")
    search_fields = ("account__name", "=account__public_id")
    list_select_related = ("account",)
    ordering = ("-until",)
    actions = ("end",)

    @admin.action(description="End: open every model", permissions=["end"])
    def end(self, request: HttpRequest, rows: QuerySet[Hold]) -> None:
        ended = sum(holds.end(account_id) for account_id in rows.values_list("pk", flat=True))
        self.message_user(request, f"Ended {ended} holds.", messages.SUCCESS)

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Tell who may use the action (Django asks by this name)."""
        return request.user.has_perm("billing.change_hold")


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnly):
    """Verified notices and their fate."""

    list_display = ("received_at", "processor", "kind", "outcome", "attempts", "next_try_at",
                    "event_id")  # fmt: skip
    list_filter = ("processor", "kind", "outcome", ("applied_at", admin.EmptyFieldListFilter),
                   "received_at")  # fmt: skip
    search_fields = ("=event_id",)
    ordering = ("-received_at",)
    exclude = ("sha256",)


class ResolveForm(forms.Form):
    """What becomes of a case."""

    resolution = forms.ChoiceField(
        label="Decision", widget=forms.RadioSelect, choices=list(resolving.RESOLUTIONS.items())
    )
    note = forms.CharField(max_length=400, widget=forms.Textarea(attrs={"rows": 3}))


@admin.register(Suspense)
class SuspenseAdmin(Decisions):
    """Notices and money that fit no order: those that wait come first."""

    list_display = ("opened_at", "cause", "amount", "is_posted", "processor", "order", "resolution",
                    "resolved_at")  # fmt: skip
    list_filter = (("resolved_at", admin.EmptyFieldListFilter), "cause", "processor", "is_posted",
                   "opened_at")  # fmt: skip
    search_fields = ("=ref", "ref", "=order__id")
    list_select_related = ("order",)
    ordering = (F("resolved_at").asc(nulls_first=True), "opened_at")
    amount = minor("amount_minor", "amount")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Suspense]:
        # Databases disagree about where NULL sorts.
        rows: QuerySet[Suspense] = super().get_queryset(request)
        return rows.order_by(F("resolved_at").desc(nulls_first=True), "opened_at")

    def tools(self, request: HttpRequest, row: Suspense) -> list[Tool]:  # noqa: ARG002
        return [
            Tool(slug="resolve", name="Decide", form=ResolveForm, use=self._resolve,
                 permission=MAY_RESOLVE, is_offered=row.resolved_at is None)
        ]  # fmt: skip

    def _resolve(self, request: HttpRequest, row: Suspense, said: dict[str, Any]) -> None:
        try:
            resolving.resolve(
                row, said["resolution"], actor=actor(request), note=said["note"],
                now=timezone.now(),
            )  # fmt: skip
        except resolving.CannotResolve as refusal:
            raise Refused(_UNRESOLVED[refusal.rule], field="resolution") from refusal
        except base.ProcessorError as error:
            text = f"The processor did not do it ({error.code}). Try again."
            raise Refused(text, field="resolution") from error
        self.message_user(request, f"The case is {said['resolution']}.", messages.SUCCESS)

    def facts(self, row: Suspense) -> Facts:
        amount = display_minor(row.amount_minor, row.currency)
        return [
            ("Cause", row.get_cause_display()),
            ("Processor", row.get_processor_display()),
            ("Money", f"{amount}, {'with us' if row.is_posted else 'not with us'}"),
            ("Order", str(row.order or "-")),
        ]
