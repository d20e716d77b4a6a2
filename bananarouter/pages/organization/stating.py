"""Where an account says to be, and whether owners in certain places are ruled out."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import countries, owners, roles, territories
from accounts.models import Account
from bananarouter.pages.settings.billing_details import LongSelect
from bananarouter.pages.shell import Page

NONE, SOME = "none", "some"
Closed = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What an account has stated, and what vendors on offer make of it."""

    account: Account
    refusing: Sequence[str]  # vendors that do not sell in the country that it states
    is_due: bool  # a vendor asks for what is not stated

    @property
    def country(self) -> str:
        """The name of the country, in the language of the page; empty: not stated."""
        return countries.name(self.account.country) if self.account.country else ""

    @property
    def owners_said_at(self) -> dt.datetime | None:
        """When something was said of its owners, whatever it was."""
        return self.account.ownership_attested_at or self.account.ownership_denied_at

    @property
    def is_complete(self) -> bool:
        """Whether both were stated."""
        return bool(self.account.country_attested_at and self.owners_said_at)


def of(account: Account) -> Statement:
    """Return what an account has stated; no query."""
    closed = territories.closed()
    return Statement(
        account=account,
        refusing=[vendor for vendor, refused in closed.items() if account.country in refused],
        is_due=territories.is_due(account),
    )


class Form(forms.Form):
    """A country, and the owners where a vendor on offer asks about them."""

    country = forms.ChoiceField(
        label=_("Where are you?"),
        help_text=_("The country or region from which the account is used."),
        widget=LongSelect,
    )
    owners = forms.ChoiceField(
        label=_("Does anybody in these places own half or more of what you act for?"),
        choices=[
            (NONE, _("No: nobody in these places owns half or more.")),
            (SOME, _("Yes, or I am not sure.")),
        ],
        error_messages={"required": _("Choose one of the two.")},
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, closed: Closed, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        country = self.fields["country"]
        country.choices = [("", ""), *countries.choices()]  # type: ignore[attr-defined]
        country.required = bool(closed)
        if not closed:
            del self.fields["owners"]
            return
        codes = {code for refused in closed.values() for code in refused}
        self.fields["owners"].help_text = _("These places: %(places)s.") % {
            "places": countries.listed(codes)
        }

    @property
    def attests_ownership(self) -> bool | None:
        """What a valid form says of the owners; None: it does not ask."""
        said = self.cleaned_data.get("owners")
        return None if said is None else said == NONE


class Territory(Page):
    """State country and owners, again where they were stated."""

    template_name = "organization/territory.html"
    nav = "settings"
    needs = roles.may_change_account

    def post(self, request: HttpRequest) -> HttpResponse:
        form = Form(request.POST, closed=territories.closed())
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        owners.state_territory(
            self.account,
            country=form.cleaned_data["country"],
            attests_ownership=form.attests_ownership,
            now=timezone.now(),
        )
        messages.success(request, _("What you state is recorded, with its time."))
        return redirect("organization")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        closed = territories.closed()
        if "form" not in kwargs:
            # Who owns it is asked anew each time: it may have changed.
            initial = {"country": self.account.country}
            kwargs["form"] = Form(initial=initial, closed=closed)
        return super().get_context_data(
            tab="organization",
            statement=of(self.account),
            vendors=[(vendor, countries.listed(refused)) for vendor, refused in closed.items()],
            **kwargs,
        )
