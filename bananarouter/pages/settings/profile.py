"""Profile: the names that others see, and the language of the pages."""

from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from accounts import owners
from accounts.models import User
from bananarouter.pages.shell import Page, of

LANGUAGE_COOKIE_AGE_S = 365 * 24 * 3600


class Names(forms.Form):
    """What a user is called, and in which language pages are shown."""

    username = forms.CharField(
        label=_("Username"),
        max_length=150,
        help_text=_("You can log in with it. Nobody else has the same."),
        widget=forms.TextInput(attrs={"autocomplete": "username", "spellcheck": "false"}),
    )
    display_name = forms.CharField(
        label=_("Display name"),
        max_length=80,
        required=False,
        help_text=_("What members of your accounts see. Empty: your username."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    language = forms.ChoiceField(
        label=_("Language"),
        choices=settings.LANGUAGES,
        help_text=_("For this browser. Others follow their own setting."),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_username(self) -> str:
        """Return a name that log-in can tell from all others, addresses included."""
        wanted: str = self.cleaned_data["username"]
        if wanted == self.user.username:
            return wanted
        if "@" in wanted:
            raise ValidationError(_("A username contains no @: that is for addresses."))
        is_own = wanted.lower() == self.user.username.lower()
        name: str = get_adapter().clean_username(wanted, shallow=is_own)
        return name


class Profile(Page):
    """The user's own names and language."""

    template_name = "settings/profile.html"
    nav = "settings"

    def post(self, request: HttpRequest) -> HttpResponse:
        user = of(request).user
        form = Names(request.POST, user=user)
        if form.is_valid() and self._rename(user, form):
            language = form.cleaned_data["language"]
            with translation.override(language):
                messages.success(request, str(_("Your profile is saved.")))
            response = redirect("settings")
            _speak(response, language)
            return response
        return self.render_to_response(self.get_context_data(form=form))

    def _rename(self, user: User, form: Names) -> bool:
        try:
            owners.rename_user(
                user,
                username=form.cleaned_data["username"],
                display_name=form.cleaned_data["display_name"],
            )
        except owners.UsernameTaken:  # by somebody else, in this very moment
            form.add_error("username", _("Somebody else has this username. Choose another one."))
            return False
        return True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if "form" not in kwargs:
            user = of(self.request).user
            known = {
                "username": user.username,
                "display_name": user.display_name,
                "language": translation.get_language(),
            }
            kwargs["form"] = Names(initial=known, user=user)
        return super().get_context_data(tab="profile", **kwargs)


def _speak(response: HttpResponse, language: str) -> None:
    """Keep the language in this browser, as the footer's choice does."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=LANGUAGE_COOKIE_AGE_S,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        samesite="Lax",
    )
