"""Debug mode of a key: its page, switching it on and off, letting staff read for a while."""

import datetime as dt
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts import roles
from accounts.models import ApiKey
from bananarouter.pages.keys import listing
from bananarouter.pages.shell import Page, Private, of
from logs import debug, debug_consent
from logs.models import DebugSession, DebugView

DURATIONS = (
    (15, _("15 minutes")),
    (debug.MINUTES_DEFAULT, _("1 hour")),
    (4 * 60, _("4 hours")),
    (debug.MINUTES_MAX, _("24 hours")),
)
VIEWS_SHOWN_MAX = 100


class _Duration(forms.Form):
    minutes = forms.TypedChoiceField(
        label=_("For"),
        choices=DURATIONS,
        coerce=int,
        initial=debug.MINUTES_DEFAULT,
        widget=forms.RadioSelect,
    )


class Start(_Duration):
    """How long, and the word that the text is agreed to."""

    agreed_to = forms.CharField(initial=debug_consent.VERSION, widget=forms.HiddenInput)
    agrees = forms.BooleanField(
        label=_("I agree that requests and answers of this key are kept as described."),
        error_messages={"required": _("Debug mode starts only if you agree.")},
    )


class Grant(_Duration):
    """How long staff may read."""


class _OfKey(Private):
    """A view of one key that its user may change."""

    needs = roles.may_make_keys

    def key(self) -> ApiKey:
        """Return the key. Raises: Http404."""
        found = listing.changeable(of(self.request)).select_related("account")
        return get_object_or_404(found, pk=self.kwargs["key_id"])

    def session(self, key: ApiKey) -> DebugSession | None:
        """Return the key's session while it runs."""
        found = debug.running(key.pk)
        return found if found is not None and found.is_running(timezone.now()) else None


class Debug(_OfKey, Page):
    """What debug mode is and whether it is on; the form that switches it on."""

    template_name = "keys/debug.html"
    nav = "keys"

    def post(self, request: HttpRequest, key_id: int) -> HttpResponse:
        form, key = Start(request.POST), self.key()
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(key=key, form=form))
        said = form.cleaned_data
        try:
            debug.start(
                key=key,
                user=of(request).user,
                minutes=said["minutes"],
                agreed_to=said["agreed_to"],
                now=timezone.now(),
            )
        except debug.AlreadyOn:
            pass  # sent twice: the page says since when and until when
        except (debug.NotYours, debug.NotOffered):
            return self.render_to_response(self.get_context_data(key=key), status=403)
        except debug.TextChanged:
            text = _("The text has changed since you opened this page: please read it again.")
            form.add_error(None, text)
            return self.render_to_response(self.get_context_data(key=key, form=form))
        except debug.CannotStart:
            text = _("The encryption key cannot be stored safely right now, so nothing is kept.")
            form.add_error(None, text)
            context = self.get_context_data(key=key, form=form)
            return self.render_to_response(context, status=503)
        return redirect("key_debug", key_id=key_id)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        key, now, user = (
            kwargs.pop("key", None) or self.key(),
            timezone.now(),
            of(self.request).user,
        )
        session = self.session(key)
        kwargs.setdefault("form", Start())
        return super().get_context_data(
            key=key,
            session=session,
            is_mine=key.created_by_id == user.pk,
            is_offered=debug.is_offered(key, now=now),
            consent=debug_consent.paragraphs(get_language() or ""),
            grant=debug.granted(session, now=now) if session else None,
            grant_form=Grant(auto_id="grant_%s"),
            views=_views(key, user_id=user.pk),
            **kwargs,
        )


def _views(key: ApiKey, *, user_id: int) -> list[DebugView]:
    rows = DebugView.objects.filter(grant__session__api_key=key, grant__session__user=user_id)
    return list(rows.select_related("staff").order_by("-pk")[:VIEWS_SHOWN_MAX])


class Stop(_OfKey):
    """Switch debug mode off and destroy what it kept; sent twice it does the same."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, key_id: int) -> HttpResponse:
        session = debug.running(self.key().pk)
        if session is not None:
            debug.stop(session, now=timezone.now())
        messages.success(request, _("Debug mode is off. What it kept is destroyed."))
        return redirect("key_debug", key_id=key_id)


class LetStaff(_OfKey):
    """Let staff read for a while, or no longer; sent twice it does the same."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, key_id: int) -> HttpResponse:
        session, now = self.session(self.key()), timezone.now()
        if session is not None and session.user_id == of(request).user.pk:
            if request.POST.get("wanted") == "revoked":
                debug.revoke(session, now=now)
            else:
                self._grant(session, now=now)
        return redirect("key_debug", key_id=key_id)

    def _grant(self, session: DebugSession, *, now: dt.datetime) -> None:
        form = Grant(self.request.POST)
        if form.is_valid() and debug.granted(session, now=now) is None:
            minutes, user = form.cleaned_data["minutes"], of(self.request).user
            debug.grant(session, user=user, minutes=minutes, now=now)
