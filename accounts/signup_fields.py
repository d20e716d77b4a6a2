"""What we ask of every new user beside allauth's fields, whichever way they sign up."""

from typing import Any, cast

from django import forms
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts import countries
from accounts.models import User


class SignUpFields(forms.Form):
    """A name to show, a country, and what is agreed to (ACCOUNT_SIGNUP_FORM_CLASS)."""

    field_order = [
        "email", "username", "display_name", "password1", "phone", "country",
        "accepts_policies", "allows_cross_border",
    ]  # fmt: skip

    display_name = forms.CharField(
        label=_("Name to show"),
        max_length=80,
        required=False,
        help_text=_("What members of your organization see. Empty: your username."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    country = forms.ChoiceField(
        label=_("Where are you?"),
        required=False,
        help_text=_("Vendors serve certain countries only; knowing yours lets us keep to that."),
    )
    accepts_policies = forms.BooleanField(
        error_messages={"required": _("Without this we may not serve you.")},
    )
    allows_cross_border = forms.BooleanField(
        label=_("My requests may be sent to vendors in other countries."),
        required=False,
        help_text=_("Your own choice; you can take it back at any time."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        country = cast("forms.ChoiceField", self.fields["country"])
        country.choices = [("", _("Not said")), *countries.choices()]
        self.fields["accepts_policies"].label = format_html(
            str(
                _(
                    'I accept the <a href="{terms}" target="_blank">terms</a> and have read the '
                    '<a href="{privacy}" target="_blank">privacy policy</a>.'
                )
            ),
            terms=_address("terms"),
            privacy=_address("privacy"),
        )

    def signup(self, request: HttpRequest, user: User) -> None:
        """Do nothing more: the adapter kept these fields together with the user."""


def _address(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return f"/{name}"
