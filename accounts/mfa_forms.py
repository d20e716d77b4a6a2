"""The forms of second factors in our words."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.mfa.base import forms as base_forms
from allauth.mfa.models import Authenticator
from allauth.mfa.totp import forms as totp_forms
from allauth.mfa.webauthn import forms as webauthn_forms
from django.utils.translation import gettext_lazy as _

from accounts.forms import Worded


def _tell_of_recovery_code(authenticator: Authenticator) -> None:
    """Tell when a recovery code was used: each works once, and a thief may have found it."""
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        get_adapter().send_notification_mail("recovery_code_used", authenticator.user)


class Authenticate(Worded, base_forms.AuthenticateForm):
    """The second factor at log-in."""

    labels = {"code": _("The code")}

    def save(self) -> None:
        super().save()
        _tell_of_recovery_code(self.authenticator)


class Reauthenticate(Worded, base_forms.ReauthenticateForm):
    """A second factor once more, before something that matters."""

    labels = {"code": _("The code")}

    def save(self) -> None:
        super().save()
        _tell_of_recovery_code(self.authenticator)


class ActivateTOTP(Worded, totp_forms.ActivateTOTPForm):
    """The first code of a new authenticator app."""

    labels = {"code": _("Code from the app")}


class AddPasskey(Worded, webauthn_forms.AddWebAuthnForm):
    """A passkey, and whether it alone logs in."""

    labels = {"name": _("Name"), "passwordless": _("Log in with it alone, without a password")}
    helps = {
        "name": _("So that you know it again: “laptop”, “blue key”."),
        "passwordless": _("Your device then asks for a fingerprint, your face or a PIN."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["passwordless"].initial = True


class RenamePasskey(Worded, webauthn_forms.EditWebAuthnForm):
    """Another name of a passkey."""

    labels = {"name": _("Name")}
