"""A promotion code becomes credit."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import roles
from bananarouter.pages.shell import Page, of
from billing.money import display_usd
from billing.payments import promotions


class CodeForm(forms.Form):
    """A code as it was given; capitals do not matter."""

    code = forms.CharField(
        label=_("Promotion code"),
        max_length=promotions.CODE_LENGTH_MAX,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class Promotion(Page):
    """Use a code, once for each account."""

    template_name = "billing/promotion.html"
    nav = "billing"
    needs = roles.may_see_money

    def post(self, request: HttpRequest) -> HttpResponse:
        form = CodeForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        user, now = of(request).user, timezone.now()
        try:
            use = promotions.redeem(self.account, form.cleaned_data["code"], user=user, now=now)
        except promotions.TooManyTries:
            form.add_error("code", _("Too many codes did not work. Try again in an hour."))
        except promotions.UsedBefore:
            form.add_error("code", _("This account has used the code before."))
        except promotions.CodeRefused:
            form.add_error("code", _("This code does not work: check it, or it may have ended."))
        else:
            given = {"amount": display_usd(use.code.amount_nusd)}
            messages.success(request, _("The code added %(amount)s to the balance.") % given)
            return redirect("billing")
        return self.render_to_response(self.get_context_data(form=form))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.setdefault("form", CodeForm())
        return super().get_context_data(tab="balance", **kwargs)
