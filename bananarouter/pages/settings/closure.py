"""The end of a user: what goes, what stays and why, the money, and the way back."""

from collections.abc import Mapping
from typing import Any, Final

from allauth.account.decorators import reauthentication_required
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views import View
from django.views.generic import TemplateView

from accounts import closures
from accounts.closures import Blocker
from accounts.models import Closure, User
from bananarouter import closing
from bananarouter.pages.billing import amounts
from bananarouter.pages.billing import words as billing_words
from bananarouter.pages.shell import Page, Private, of
from bananarouter.pages.words import Words

# Why it cannot be asked for, or does not begin yet, and what to do.
BLOCKERS: Final[Mapping[str, Words]] = {
    Blocker.SOLE_OWNER: _("Others use an account that only you own: make one of them an owner."),
    Blocker.DISPUTE: _("Your bank disputes a payment. When it has decided, you can close."),
    Blocker.DEBT: _("The account owes money after a refund or dispute. Add that amount first."),
    Blocker.FROZEN: _("The balance is frozen. Write to us, so that we can settle it with you."),
    Blocker.ORDER: _("A payment is under way. We wait until it is paid or has expired."),
    Blocker.REFUND: _("Money is on its way back to you. We wait until it has arrived."),
    Blocker.RUNNING: _("Requests are still running. We wait until they have ended."),
    Blocker.HOLD: _("A law asks us to keep records for now. We go on by ourselves when it ends."),
    Blocker.AMOUNT: _("More would be lost than you agreed to. Look at the amount again below."),
}


class Confirm(forms.Form):
    """The name typed once more, and what is given up."""

    username = forms.CharField(
        label=_("Type your username to confirm"),
        max_length=150,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    agreed_nusd = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    gives_up = forms.BooleanField(required=False)

    def __init__(self, *args: Any, user: User, rest_nusd: int, **kwargs: Any) -> None:
        self._user, self._rest_nusd = user, rest_nusd
        kwargs.setdefault("initial", {"agreed_nusd": rest_nusd})
        super().__init__(*args, **kwargs)
        self.fields["gives_up"].label = _("I give this amount up")
        if rest_nusd <= 0:
            del self.fields["gives_up"]

    def clean_username(self) -> str:
        """Refuse another name."""
        said: str = self.cleaned_data["username"].strip()
        if said.casefold() != self._user.username.casefold():
            raise forms.ValidationError(_("This is not your username."))
        return said

    def clean_gives_up(self) -> bool:
        """Nobody loses money without a word."""
        if not self.cleaned_data["gives_up"]:
            raise forms.ValidationError(_("Tick this: the amount cannot be paid out."))
        return True


@method_decorator(reauthentication_required, name="get")
@method_decorator(reauthentication_required, name="post")
class Leave(Page):
    """Ask for the end of one's user; look at it while it waits."""

    template_name = "settings/closure.html"
    nav = "settings"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        user, found = of(request).user, self._found()
        form = Confirm(request.POST, user=user, rest_nusd=found.parting.rest_nusd)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form, found=found))
        try:
            asked = closing.ask(
                user,
                agreed_nusd=form.cleaned_data["agreed_nusd"],
                language=translation.get_language() or "en",
                now=timezone.now(),
            )
        except closures.Blocked as blocked:
            form.add_error(None, str(BLOCKERS[blocked.by]))
            return self.render_to_response(self.get_context_data(form=form))
        except closing.NotAgreed:
            messages.warning(request, _("The amount has changed. Look at it again."))
            return redirect("settings_closure")
        closing.begin(asked, now=timezone.now())
        if asked.state != Closure.State.CLOSING:
            return redirect("settings_closure")
        logout(request)
        return redirect("closed", closure_word=closures.word(asked))

    def _found(self) -> closing.Prospect:
        mine = of(self.request)
        return closing.prospect(mine.user, is_asked=mine.closes_at is not None)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = of(self.request).user
        found: closing.Prospect = kwargs.pop("found", None) or self._found()
        closure = found.closure
        kwargs.setdefault("form", Confirm(user=user, rest_nusd=found.parting.rest_nusd))
        is_amount = closure is not None and closure.blocked_by == Blocker.AMOUNT
        blocked_by = closure.blocked_by if closure else found.refused_by
        return super().get_context_data(
            tab="privacy",
            found=found,
            closure=closure,
            asks=closure is None or is_amount,
            blocked=BLOCKERS[blocked_by] if blocked_by else "",
            going=[
                (
                    amounts.written(one.amount_minor, one.currency),
                    billing_words.PROCESSORS[one.processor],
                    one.orders,
                )
                for one in found.parting.sums
            ],
            staying=[
                m.account for m in of(self.request).memberships if m.account not in found.accounts
            ],
            cooling_hours=int(settings.ERASURE.cooling.total_seconds() // 3_600),
            **kwargs,
        )


class Keep(Private):
    """Take it back while that is possible."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        if closures.cancel(user=of(request).user, now=timezone.now()):
            messages.success(
                request, _("You keep your account. Your keys work again; automatic top-up is off.")
            )
        return redirect("settings_privacy")


class OfWord(View):
    """What stands under a certificate's link: whoever holds it may read it."""

    closure: Closure

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        found = closures.found_by(kwargs["closure_word"])
        if found is None or found.state == Closure.State.CANCELLED:
            raise Http404
        self.closure = found
        response = super().dispatch(request, *args, **kwargs)
        add_never_cache_headers(response)
        return response


class Closed(OfWord, TemplateView):
    """What became of a closed user's data; no name stands here."""

    template_name = "settings/closed.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        stores = self.closure.certificate.get("stores", [])
        return super().get_context_data(
            closure=self.closure,
            is_over=self.closure.state == Closure.State.CLOSED,
            erased=[one for one in stores if one["ending"] == "erased" and one["rows"]],
            kept=[one for one in stores if one["ending"] != "erased" and one["rows"]],
            looked_at=len(stores),
            **kwargs,
        )


class Certificate(OfWord):
    """The same as a file."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:  # noqa: ARG002
        if self.closure.state != Closure.State.CLOSED:
            raise Http404
        response = JsonResponse(certificate_of(self.closure), json_dumps_params={"indent": 2})
        name = f"erasure-{self.closure.public_id}.json"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


def certificate_of(closure: Closure) -> dict[str, Any]:
    """Return the whole certificate of an ended closure."""
    return {
        "certificate": str(closure.public_id),
        "operator": settings.OPERATOR_NAME,
        "asked_at": closure.asked_at.isoformat(),
        "erased_at": closure.ended_at.isoformat() if closure.ended_at else None,
        "stores": closure.certificate.get("stores", []),
    }
