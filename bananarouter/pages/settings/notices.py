"""Notifications: which kinds of news reach the user by which ways."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import notifications
from accounts.notifications import WAYS
from bananarouter.pages.shell import Page, of

WAY_NAMES: dict[str, Promise] = {"email": _("Mail"), "web": _("On this site"), "sms": _("SMS")}
TITLES: dict[str, tuple[Promise, Promise]] = {
    "security": (_("Security"), _("Log-in, password, second factor, keys")),
    "low_balance": (_("Low balance"), _("Before requests are refused for want of money")),
    "top_up": (_("Money added"), _("Payments, receipts, corrections")),
    "fapiao": (_("Fapiao"), _("When one that you asked for is issued, refused or reversed")),
    "price_change": (_("Prices and models"), _("New prices before they apply, new models")),
    "deprecation": (_("Models that end"), _("Models that you used and that a vendor withdraws")),
    "policy_change": (_("Policies"), _("New versions of our terms and privacy policy")),
    "incident": (_("Incidents"), _("When requests fail because of us or a vendor")),
    "product": (_("Product news"), _("What is new here; rarely")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One choice: a kind by a way."""

    field: str
    label: Promise
    is_possible: bool
    is_on: bool
    is_fixed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind with its choices."""

    title: Promise
    text: Promise
    cells: list[Cell]


def _row(preference: notifications.Preference, *, has_phone: bool) -> Row:
    kind = preference.kind
    title, text = TITLES[kind.name]
    return Row(
        title=title,
        text=text,
        cells=[
            Cell(
                field=f"{kind.name}-{way}",
                label=WAY_NAMES[way],
                is_possible=way in kind.possible,
                is_on=way in preference.ways,
                is_fixed=way in kind.always or (way == "sms" and not has_phone),
            )
            for way in WAYS
        ],
    )


class Notices(Page):
    """A table of kinds by ways; what cannot be chosen is shown and not offered."""

    template_name = "settings/notifications.html"
    nav = "settings"

    def post(self, request: HttpRequest) -> HttpResponse:
        chosen = {
            kind: [way for way in WAYS if f"{kind}-{way}" in request.POST]
            for kind in notifications.KINDS
        }
        notifications.choose(of(request).user, chosen)
        messages.success(request, _("Your choice is saved."))
        return redirect("settings_notifications")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = of(self.request).user
        has_phone = notifications.has_phone(user)
        rows = [_row(each, has_phone=has_phone) for each in notifications.preferences(user)]
        return super().get_context_data(
            tab="notifications", rows=rows, ways=WAY_NAMES.values(), has_phone=has_phone, **kwargs
        )
