"""A request for a fapiao, the Chinese tax invoice, for an order paid in yuan."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import BillingDetails
from bananarouter.pages.billing import amounts, words
from bananarouter.pages.billing.orders import OneOrder
from bananarouter.pages.shell import Page, of
from billing.models import FapiaoRequest, Order
from billing.payments import fapiao

State = FapiaoRequest.State


class FapiaoForm(forms.Form):
    """What is to be printed, and where it is sent."""

    title = forms.CharField(label=_("Fapiao title"), max_length=fapiao.TITLE_MAX)
    tax_number = forms.CharField(
        label=_("Taxpayer number"),
        max_length=40,
        required=False,
        help_text=_("15 to 20 digits and capital letters. A person leaves it empty."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    email = forms.EmailField(label=_("Email"))


_FIELD_WORDS: dict[str, words.Words] = {
    "title": _("Write the name of the person or company, up to 120 characters."),
    "tax_number": _("Write 15 to 20 digits and capital letters, or leave it empty."),
    "email": _("Write an email address like name@example.com."),
}


class Fapiao(OneOrder, Page):
    """Ask for the fapiao of an order, see how it stands, take the request back."""

    template_name = "billing/fapiao.html"
    nav = "billing"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.order.currency != "CNY":
            raise Http404
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        if "withdraw" in request.POST:
            return self._withdraw(request)
        form = FapiaoForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        wanted = fapiao.Wanted(**form.cleaned_data)
        try:
            fapiao.ask(self.order, wanted, by=of(request).user, now=timezone.now())
        except fapiao.BadField as error:
            form.add_error(error.field, str(_FIELD_WORDS[error.field]))
            return self.render_to_response(self.get_context_data(form=form))
        except (fapiao.NotPossible, fapiao.WrongState):
            messages.warning(request, _("No fapiao can be asked for now; see how it stands below."))
            return self.back()
        messages.success(request, _("The fapiao is asked for. It comes by email."))
        return self.back()

    def _withdraw(self, request: HttpRequest) -> HttpResponse:
        asked = _request_of(self.order)
        try:
            if asked is not None:
                fapiao.withdraw(asked, now=timezone.now())
        except fapiao.WrongState:
            messages.warning(request, _("The request was answered already."))
        return self.back()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        asked = _request_of(self.order)
        try:
            fapiao.check_possible(self.order)
            is_possible = asked is None or State.ASKED in fapiao.NEXT[asked.state]
        except fapiao.NotPossible:
            is_possible = False
        if is_possible and "form" not in kwargs:
            kwargs["form"] = FapiaoForm(initial=_initial(self.order, asked))
        return super().get_context_data(
            order=self.order,
            amount=amounts.written(fapiao.amount_minor(self.order), self.order.currency),
            asked=asked,
            asked_text=words.FAPIAO_STATES[asked.state] if asked else "",
            is_possible=is_possible,
            can_withdraw=asked is not None and asked.state == State.ASKED,
            **kwargs,
        )


def _request_of(order: Order) -> FapiaoRequest | None:
    return FapiaoRequest.objects.filter(order=order).first()


def _initial(order: Order, asked: FapiaoRequest | None) -> dict[str, Any]:
    """Begin with the former request, else with the billing details."""
    if asked is not None:
        return {"title": asked.title, "tax_number": asked.tax_number, "email": asked.email}
    details = BillingDetails.objects.filter(pk=order.account_id).first() or BillingDetails()
    return {"title": details.legal_name, "tax_number": details.tax_id, "email": details.email}
