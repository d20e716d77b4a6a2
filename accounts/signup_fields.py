"""What we ask of every new user beside allauth's fields, whichever way they sign up."""

from typing import Any, cast

from django import forms
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts import countries, territories
from accounts.models import User


class SignUpFields(forms.Form):
    """A name to show, a country, and what is agreed to (ACCOUNT_SIGNUP_FORM_CLASS)."""

    field_order = [
        "email", "username", "display_name", "password1", "phone", "country",
        "attests_ownership", "accepts_policies", "allows_cross_border",
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
    attests_ownership = forms.BooleanField(required=False)
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
        self._ask_for_territories(country)
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

    def _ask_for_territories(self, country: forms.ChoiceField) -> None:
        """Ask what the rules of the vendors on offer need, and nothing where there are none."""
        closed = territories.closed()
        if not closed:
            del self.fields["attests_ownership"]
            return
        country.required = True
        country.choices = [("", ""), *countries.choices()]
        codes = {code for refused in closed.values() for code in refused}
        field = self.fields["attests_ownership"]
        field.label = _(
            "Nobody in these places owns half or more of what I act for: %(places)s."
        ) % {"places": countries.listed(codes)}
        field.help_text = _(
            "Vendors that refuse such owners: %(vendors)s. Leave it open where it is not so, and "
            "use no models of theirs. We record that you said it, and when."
        ) % {"vendors": ", ".join(closed)}

    def signup(self, request: HttpRequest, user: User) -> None:
        """Do nothing more: the adapter kept these fields together with the user."""


def _address(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return f"/{name}"
