"""Billing details: what an account wants to read on its receipts."""

from typing import Any

from django import forms
from django.contrib import messages
from django.forms.utils import flatatt
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from accounts import countries, roles
from accounts.models import BillingDetails
from bananarouter.pages.shell import Page


def _countries() -> list[tuple[str, str]]:
    return [("", ""), *countries.choices()]


class LongSelect(forms.Select):
    """A select of hundreds of options, written at once: a template for each takes too long."""

    def render(
        self,
        name: str,
        value: Any,
        attrs: dict[str, Any] | None = None,
        renderer: Any = None,  # noqa: ARG002  Django's signature
    ) -> SafeString:
        options = format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            (
                (code, mark_safe(" selected") if code == (value or "") else "", label)
                for code, label in self.choices
            ),
        )
        attributes = flatatt(self.build_attrs(self.attrs, {**(attrs or {}), "name": name}))
        return format_html("<select{}>{}</select>", attributes, options)


class DetailsForm(forms.Form):
    """All of it is optional: who needs no receipt leaves it empty."""

    legal_name = forms.CharField(
        label=_("Legal name"),
        max_length=120,
        required=False,
        help_text=_("The person or company that pays."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    email = forms.EmailField(
        label=_("Email for receipts"),
        required=False,
        help_text=_("Empty: the address of the owner."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    tax_id = forms.CharField(
        label=_("Tax number"),
        max_length=40,
        required=False,
        help_text=_("Printed as it is; it is not checked."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    address = forms.CharField(
        label=_("Address"),
        max_length=400,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "street-address", "class": "text"}),
    )
    country = forms.ChoiceField(
        label=_("Country or region"), required=False, choices=_countries, widget=LongSelect
    )


class Details(Page):
    """The account's billing details, for those who see its money."""

    template_name = "settings/billing_details.html"
    nav = "settings"
    needs = roles.may_see_money

    def post(self, request: HttpRequest) -> HttpResponse:
        form = DetailsForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        BillingDetails.objects.update_or_create(account=self.account, defaults=form.cleaned_data)
        messages.success(request, _("The billing details are saved."))
        return redirect("settings_billing")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if "form" not in kwargs:
            names = list(DetailsForm.base_fields)
            kwargs["form"] = DetailsForm(
                initial=BillingDetails.objects.filter(account=self.account).values(*names).first()
            )
        return super().get_context_data(tab="billing", **kwargs)
