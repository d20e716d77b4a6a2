"""From sign-up to the first call: a key, code that works, and the wait for it to arrive."""

import secrets
from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import keys, roles
from accounts.models import ApiKey, Membership
from bananarouter.pages import first_call
from bananarouter.pages.shell import Page, Private, of, origin
from bananarouter.pages.welcome import first_code, first_request, trial_offer
from bananarouter.pages.welcome.first_request import Wait

# A form that was sent is remembered for so long, so that sending it again makes nothing.
SENT_S = 24 * 3_600


class Create(forms.Form):
    """A first key needs a name; everything else can be changed later."""

    use_required_attribute = True
    name = forms.CharField(
        label=_("Name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    once = forms.CharField(max_length=40, widget=forms.HiddenInput)

    @classmethod
    def fresh(cls) -> "Create":
        """Return the form that can be sent once, its name filled in."""
        return cls(initial={"name": str(_("First key")), "once": secrets.token_urlsafe(12)})


def _is_partial(request: HttpRequest) -> bool:
    return "HX-Request" in request.headers


class _Member(Private):
    """A view for whoever may make keys in the account."""

    needs = roles.may_make_keys

    @property
    def membership(self) -> Membership:
        """The user's place in the account looked at."""
        membership = of(self.request).membership
        if membership is None:
            raise AssertionError("dispatch() lets nobody without an account through")
        return membership


class Welcome(_Member, Page):
    """The page; posting to it makes a key, whose text stands in this one answer."""

    template_name = "welcome/welcome.html"
    nav = "overview"

    def post(self, request: HttpRequest) -> HttpResponse:
        form = Create(request.POST)
        shown: dict[str, Any] = {"form": form}
        if form.is_valid():
            shown = self._create(form)
        if _is_partial(request):
            self.template_name = "welcome/answer_key.html"
        # Never through the session: it would write the key's text into the database.
        return self.render_to_response(self.get_context_data(**shown))

    def _create(self, form: Create) -> dict[str, Any]:
        sent = f"welcome:{self.account.pk}:{form.cleaned_data['once']}"
        if not cache.add(sent, 1, timeout=SENT_S):
            return {"is_repeated": True}
        key, text = keys.mint(
            account=self.account, created_by=of(self.request).user, name=form.cleaned_data["name"]
        )
        return {"key": key, "text": text}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = timezone.now()
        balance = of(self.request).balance
        model = first_call.model_for(self.account, now=now)
        arrival = first_request.arrived(self.membership)
        kwargs.setdefault("key", self._latest_key())
        kwargs.setdefault("form", Create.fresh())
        return super().get_context_data(
            model=model,
            tabs=self._tabs(model, kwargs.get("text")),
            key_variable=first_code.KEY_VARIABLE,
            arrival=arrival,
            wait=Wait.begin(now=now).next(arrival, now=now),
            offer=trial_offer.offer(
                self.membership, credit_nusd=balance.credit_nusd if balance else 0, now=now
            ),
            **kwargs,
        )

    def _tabs(self, model: str | None, key: str | None) -> Any:
        place = origin(self.request)
        return first_code.tabs(origin=place, model=model, key=key) if model else ()

    def _latest_key(self) -> ApiKey | None:
        rows = ApiKey.objects.filter(
            account=self.account, disabled_at=None, purpose=ApiKey.Purpose.API
        )
        if not roles.may_manage_keys(self.membership.role):
            rows = rows.filter(created_by=of(self.request).user)
        return rows.order_by("-pk").first()


class First(_Member):
    """Tell a waiting page whether something came: 204 as long as nothing did."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if not _is_partial(request):
            return redirect("welcome")
        now = timezone.now()
        before = Wait.read(request.GET, now=now)
        arrival = first_request.arrived(self.membership)
        wait = before.next(arrival, now=now)
        if wait == before:
            return HttpResponse(status=204)
        return render(request, "welcome/answer_first.html", {"arrival": arrival, "wait": wait})

    def handle_no_permission(self) -> Any:
        """Send a page whose session ended to log in, as a whole."""
        if _is_partial(self.request):
            return HttpResponse(status=403, headers={"HX-Refresh": "true"})
        return super().handle_no_permission()


class Trial(_Member):
    """Ask for trial money with the proof of a browser's work."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        refusal: trial_offer.Words = ""
        try:
            trial_offer.ask(
                self.membership,
                challenge=request.POST.get("challenge", ""),
                nonce=request.POST.get("nonce", ""),
                source_ip=get_adapter(request).get_client_ip(request),
                now=now,
            )
            self.account.refresh_from_db(fields=["is_trial"])
        except trial_offer.Refused as error:
            refusal = error.words
        if not _is_partial(request):
            if refusal:
                messages.error(request, str(refusal))
            return redirect("welcome")
        balance = of(request).balance
        offer = trial_offer.offer(
            self.membership, credit_nusd=balance.credit_nusd if balance else 0, now=now
        )
        return render(request, "welcome/answer_trial.html", {"offer": offer, "refusal": refusal})
