"""allauth's forms in our words, and what they must not give away."""

from collections.abc import Mapping
from typing import Any, ClassVar

from allauth.account import forms as allauth_forms
from allauth.socialaccount import forms as social_forms
from django import forms
from django.contrib import messages
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from accounts import phones
from accounts.models import User

PASSWORD_HELP = _("At least 8 characters, and not one that many people use.")
CODE_ATTRIBUTES = {"inputmode": "numeric", "autocomplete": "one-time-code", "autofocus": True}


class Worded:
    """Gives a form of allauth's our labels, without placeholders that repeat them."""

    fields: dict[str, forms.Field]
    labels: ClassVar[Mapping[str, Any]] = {}
    helps: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            if name in self.labels:
                field.label = self.labels[name]
            if name in self.helps or isinstance(field.widget, forms.PasswordInput):
                field.help_text = self.helps.get(name, "")
            if name == "code":
                field.widget.attrs.update(CODE_ATTRIBUTES)


class PhoneField(forms.CharField):
    """A phone number with its country code; the value is in E.164."""

    widget = forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"})

    def clean(self, value: Any) -> str:
        text: str = super().clean(value).strip()
        if not text:
            return ""
        try:
            return phones.parse(text)
        except phones.NotAPhone as error:
            raise forms.ValidationError(
                _("Write the whole number with its country code, like +86 138 0013 8000.")
            ) from error


class LogIn(Worded, allauth_forms.LoginForm):
    """By address or username, and password."""

    labels = {"login": _("Email or username"), "password": _("Password")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # "webauthn" lets a browser offer passkeys where the name is typed.
        self.fields["login"].widget.attrs["autocomplete"] = "username webauthn"


class NewUser(Worded):
    """What both sign-up forms say and do."""

    labels = {
        "email": _("Email"),
        "username": _("Username"),
        "password1": _("Password"),
        "phone": _("Phone"),
    }
    helps = {
        "password1": PASSWORD_HELP,
        "phone": _("With its country code. For urgent news only, after you prove it by a code."),
    }

    account_already_exists = False
    cleaned_data: dict[str, Any]

    def _clean_phone(self) -> None:
        """Let a number pass that somebody has: only who gets its code learns that."""

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        if self.account_already_exists:
            # As much work as for a new user, so that the time tells nothing.
            make_password(self.cleaned_data.get("password1"))
        try:
            return super().try_save(request)  # type: ignore[misc, no-any-return]
        except IntegrityError:
            # The same form was sent twice at once, and the other one was first.
            messages.info(request, _("You have signed up. Log in to go on."))
            return None, redirect("account_login")


class SignUp(NewUser, allauth_forms.SignupForm):
    """With an address and a password."""


class SocialSignUp(NewUser, social_forms.SignupForm):
    """With a user of another site."""


class AddEmail(Worded, allauth_forms.AddEmailForm):
    """Another address, in place of the present one once it is proved."""

    labels = {"email": _("New email address")}


class ChangePassword(Worded, allauth_forms.ChangePasswordForm):
    """The present password and a new one."""

    labels = {"oldpassword": _("Current password"), "password1": _("New password")}
    helps = {"password1": PASSWORD_HELP}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["password2"]


class SetPassword(Worded, allauth_forms.SetPasswordForm):
    """A first password, of someone who has used other ways so far."""

    labels = {"password1": _("New password")}
    helps = {"password1": PASSWORD_HELP}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["password2"]


class ResetPassword(Worded, allauth_forms.ResetPasswordForm):
    """Whose password was forgotten."""

    labels = {"email": _("Email")}


class NewPassword(Worded, allauth_forms.ResetPasswordKeyForm):
    """The password in place of a forgotten one."""

    labels = {"password1": _("New password")}
    helps = {"password1": PASSWORD_HELP}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["password2"]


class Reauthenticate(Worded, allauth_forms.ReauthenticateForm):
    """The password once more, before something that matters."""

    labels = {"password": _("Password")}


class RequestLoginCode(Worded, allauth_forms.RequestLoginCodeForm):
    """Where the code goes to."""

    labels = {"email": _("Email")}


class ConfirmLoginCode(Worded, allauth_forms.ConfirmLoginCodeForm):
    """The code that logs in."""

    labels = {"code": _("The code")}


class ConfirmEmail(Worded, allauth_forms.ConfirmEmailVerificationCodeForm):
    """The code that proves an address."""

    labels = {"code": _("The code")}


class ConfirmPasswordReset(Worded, allauth_forms.ConfirmPasswordResetCodeForm):
    """The code that allows a new password."""

    labels = {"code": _("The code")}


class ConfirmPhone(Worded, allauth_forms.VerifyPhoneForm):
    """The code that proves a phone number."""

    labels = {"code": _("The code")}


class ChangePhone(Worded, allauth_forms.ChangePhoneForm):
    """Another number, in place of the present one once it is proved."""

    labels = {"phone": _("New phone number")}
