"""Unspent money goes back: of one order in part, or everything in one click."""

import hashlib
import uuid
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import roles
from bananarouter.pages.billing import amounts, words
from bananarouter.pages.billing.orders import OneOrder
from bananarouter.pages.shell import Page, of
from billing.models import Order
from billing.payments import refund_rules, refunds

REASON = "requested_by_customer"


class RefundForm(forms.Form):
    """How much of an order goes back, in its currency and with its tax."""

    amount = forms.CharField(
        label=_("Amount to refund"),
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    key = forms.UUIDField(widget=forms.HiddenInput)

    def clean_amount(self) -> int:
        """Return minor units."""
        try:
            return amounts.read(self.cleaned_data["amount"])
        except amounts.Unreadable:
            raise forms.ValidationError(_("Write an amount like 25 or 12.50.")) from None


class Refund(OneOrder, Page):
    """Take a part of one order back."""

    template_name = "billing/refund.html"
    nav = "billing"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # noqa: ARG002
        most = self._most()
        form = RefundForm(initial={"amount": amounts.plain(most), "key": uuid.uuid4()})
        return self._page(form, most)

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        form = RefundForm(request.POST)
        if not form.is_valid():
            return self._page(form, self._most())
        said = form.cleaned_data
        terms = refunds.Terms(form_id=said["key"])
        try:
            refunds.ask(
                self.order,
                said["amount"],
                reason=REASON,
                actor=self.actor,
                now=timezone.now(),
                terms=terms,
            )  # the sweep sends it
        except refund_rules.RefundRefused as error:
            form.add_error("amount", str(words.refund_rule(error.rule)))
            return self._page(form, self._most())
        messages.success(request, _("The refund is under way. Its credit left the balance."))
        return self.back()

    def _most(self) -> int:
        return refund_rules.refundable(self.order, now=timezone.now())

    def _page(self, form: RefundForm, most: int) -> HttpResponse:
        order = self.order
        context = self.get_context_data(
            form=form,
            order=order,
            total=amounts.written(order.total_minor, order.currency),
            most=amounts.written(most, order.currency) if most else "",
            refund_days=settings.PAYMENTS.refund_days,
        )
        return self.render_to_response(context)


class AllForm(forms.Form):
    """One yes for everything that the page showed."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    shown = forms.CharField(max_length=64, widget=forms.HiddenInput)


class RefundAll(Page):
    """Everything that is not spent goes back, by the orders that it came with: all or nothing.

    Of very many orders the newest are shown and go back; the page says how many are left.
    """

    template_name = "billing/refund_all.html"
    nav = "billing"
    needs = roles.may_see_money

    @cached_property
    def found(self) -> refund_rules.Unspent:
        """What can go back now, and how many orders are left for later."""
        return refund_rules.survey(self.account)

    @property
    def parts(self) -> Sequence[tuple[Order, int]]:
        """What this page shows, and what its button sends back."""
        return self.found.parts

    def post(self, request: HttpRequest) -> HttpResponse:
        form = AllForm(request.POST)
        if not form.is_valid():
            return redirect("billing_refund")
        form_id = form.cleaned_data["key"]
        if refunds.is_asked(self.account, form_id):
            return redirect("billing_history")
        if form.cleaned_data["shown"] != _digest(self.parts):
            messages.warning(request, _("The amounts changed meanwhile. Look at them again."))
            return redirect("billing_refund")
        try:
            refunds.ask_all(
                self.account,
                self.parts,
                reason=REASON,
                actor=f"user:{of(request).user.pk}",
                form_id=form_id,
                now=timezone.now(),
            )  # the sweep sends them
        except refund_rules.RefundRefused as error:
            messages.error(request, str(words.refund_rule(error.rule)))
            return redirect("billing_refund")
        messages.success(request, _("The refunds are under way. Their credit left the balance."))
        return redirect("billing_history")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = [
            {
                "order": order,
                "processor": words.PROCESSORS[order.processor],
                "amount": amounts.written(amount_minor, order.currency),
            }
            for order, amount_minor in self.parts
        ]
        first = {"key": uuid.uuid4(), "shown": _digest(self.parts)}
        older = self.found.older
        return super().get_context_data(
            tab="orders", rows=rows, totals=_totals(self.parts), form=AllForm(initial=first),
            older=f"{older}+" if older == refund_rules.OLDER_MAX else older,
            **kwargs,
        )  # fmt: skip


def _digest(parts: Sequence[tuple[Order, int]]) -> str:
    """Name what a page shows, so that a yes is about that and nothing else."""
    told = "\n".join(f"{order.number} {amount}" for order, amount in parts)
    return hashlib.sha256(told.encode()).hexdigest()


def _totals(parts: Sequence[tuple[Order, int]]) -> list[str]:
    """Return the sum of each currency."""
    sums: dict[str, int] = {}
    for order, amount in parts:
        sums[order.currency] = sums.get(order.currency, 0) + amount
    return [amounts.written(amount, currency) for currency, amount in sorted(sums.items())]
