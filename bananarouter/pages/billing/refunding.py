"""Unspent money goes back: of one order in part, or everything in one click."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
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
# So long the same form counts once.
ONCE_S = 3_600


class RefundForm(forms.Form):
    """How much of an order goes back, in its currency and with its tax."""

    amount = forms.CharField(
        label=_("Amount to refund"),
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    key = forms.SlugField(max_length=64, widget=forms.HiddenInput)

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
        form = RefundForm(initial={"amount": amounts.plain(most), "key": words.new_key()})
        return self._page(form, most)

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        form = RefundForm(request.POST)
        if not form.is_valid():
            return self._page(form, self._most())
        if not _is_first(form.cleaned_data["key"], self.order.account_id):
            return self.back()
        try:
            _ask(self.order, form.cleaned_data["amount"], actor=self.actor)
        except refund_rules.RefundRefused as error:
            cache.delete(_once(form.cleaned_data["key"], self.order.account_id))
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


class RefundAll(Page):
    """Everything that is not spent goes back, by the orders that it came with."""

    template_name = "billing/refund_all.html"
    nav = "billing"
    needs = roles.may_see_money

    def post(self, request: HttpRequest) -> HttpResponse:
        key = request.POST.get("key", "")[:64]
        if not key or not _is_first(key, self.account.pk):
            return redirect("billing_history")
        try:
            for order, amount_minor in refund_rules.unspent(self.account):
                _ask(order, amount_minor, actor=f"user:{of(request).user.pk}")
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
            for order, amount_minor in refund_rules.unspent(self.account)
        ]
        return super().get_context_data(tab="orders", rows=rows, key=words.new_key(), **kwargs)


def _ask(order: Order, amount_minor: int, *, actor: str) -> None:
    """Ask for a refund; the sweep sends it. Raises: refund_rules.RefundRefused."""
    refunds.ask(order, amount_minor, reason=REASON, actor=actor, now=timezone.now())


def _once(key: str, account_id: int) -> str:
    return f"billing:refund:{account_id}:{key}"


def _is_first(key: str, account_id: int) -> bool:
    """Tell whether a form is sent for the first time: a double click is one refund."""
    return cache.add(_once(key, account_id), 1, ONCE_S)
