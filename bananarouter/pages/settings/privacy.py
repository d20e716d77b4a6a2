"""Privacy: what was agreed to, where requests may go, what is kept, and the rights over it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import consents, contact, owners, roles
from accounts.models import Account, Consent, ContactRequest, User
from bananarouter.pages import words
from bananarouter.pages.shell import Page, Private, of
from logs.models import DebugSession
from routing.models import Channel

REQUESTS_SHOWN = 5
DEBUGGED_SHOWN = 10
RIGHTS = (ContactRequest.Kind.ACCESS, ContactRequest.Kind.DELETION)
CROSS_BORDER = Consent.Purpose.CROSS_BORDER


def places_of(account: Account) -> list[tuple[str, words.Words]]:
    """Return the jurisdictions that an account can reach, or has chosen, with their names."""
    channels = Channel.objects.filter(is_enabled=True, is_demo=account.is_demo).order_by()
    reached = set(channels.values_list("jurisdiction", flat=True).distinct())
    return [
        (code, words.jurisdiction(code))
        for code in sorted(reached | set(account.allowed_jurisdictions))
    ]


class Confine(forms.Form):
    """Every place, or those that are ticked."""

    scope = forms.ChoiceField(
        label=_("Requests may go"),
        choices=[("all", _("to every place that a model is offered in")), ("some", _("only to"))],
        widget=forms.RadioSelect,
    )
    places = forms.MultipleChoiceField(
        label=_("Places"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, account: Account, **kwargs: Any) -> None:
        chosen = account.allowed_jurisdictions
        kwargs.setdefault("initial", {"scope": "some" if chosen else "all", "places": chosen})
        super().__init__(*args, **kwargs)
        self.fields["places"].choices = places_of(account)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Refuse a list of no places: it would look like none and mean all."""
        found = super().clean() or {}
        if found.get("scope") == "some" and not found.get("places"):
            self.add_error("places", _("Tick at least one place, or let requests go everywhere."))
        return found

    @property
    def jurisdictions(self) -> list[str]:
        """What a valid form asks for; empty: every place."""
        places: list[str] = self.cleaned_data["places"]
        return places if self.cleaned_data["scope"] == "some" else []


class Privacy(Page):
    """Everything about the user's data on one page."""

    template_name = "settings/privacy.html"
    nav = "settings"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.setdefault("form", Confine(account=self.account))
        user = of(self.request).user
        cross_border = consents.latest(user=user, purpose=CROSS_BORDER)
        return super().get_context_data(
            tab="privacy",
            consents=[
                (purpose, words.PURPOSES[purpose], consents.latest(user=user, purpose=purpose))
                for purpose in (Consent.Purpose.PRIVACY, Consent.Purpose.TERMS)
            ],
            cross_border=cross_border,
            is_cross_border_given=bool(
                cross_border and cross_border.action == Consent.Action.GIVEN
            ),
            debugged=list(
                DebugSession.objects.filter(user=user)
                .select_related("api_key")
                .order_by("-started_at")[:DEBUGGED_SHOWN]
            ),
            places=[words.jurisdiction(code) for code in self.account.allowed_jurisdictions],
            asked=self._asked(user),
            **kwargs,
        )

    def _asked(self, user: User) -> dict[str, Any]:
        rows = list(
            ContactRequest.objects.filter(user=user, kind__in=RIGHTS).order_by("-pk")[
                :REQUESTS_SHOWN
            ]
        )
        return {
            "rows": rows,
            "open": {row.kind for row in rows if row.state != ContactRequest.State.CLOSED},
        }


class Places(Privacy):
    """Change where the account's requests may go."""

    http_method_names = ["post"]
    needs = roles.may_change_account

    def post(self, request: HttpRequest) -> HttpResponse:
        form = Confine(request.POST, account=self.account)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        owners.confine(self.account, jurisdictions=form.jurisdictions)
        messages.success(request, _("Saved. Requests follow it within a second."))
        return redirect("settings_privacy")


class ChangeConsent(Private):
    """Give or take back the consent to transfers across borders."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        user, now = of(request).user, timezone.now()
        is_given = consents.is_given(user=user, purpose=CROSS_BORDER)
        action = request.POST.get("action")
        if action == "give" and not is_given:
            consents.give(user=user, purpose=CROSS_BORDER, version=None, now=now)
            messages.success(request, _("Your consent is recorded."))
        elif action == "withdraw" and is_given:
            consents.withdraw(user=user, purpose=CROSS_BORDER, now=now)
            messages.success(request, _("Your consent is withdrawn."))
        return redirect("settings_privacy")


class Withdraw(Private):
    """Take back a request while it is open."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            found = get_object_or_404(
                ContactRequest,
                public_id=request.POST.get("request", ""),
                user=of(request).user,
                kind__in=RIGHTS,
            )
        except (ValueError, forms.ValidationError) as error:  # no UUID at all
            raise Http404 from error
        if contact.withdraw(found, now=timezone.now()):
            messages.success(request, _("Your request is withdrawn."))
        return redirect("settings_privacy")
