"""How allauth makes users here, reaches their phones, and keeps their second factors."""

import logging
from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from django import forms
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import alerts, devices, error_words, owners, phones, sealing, sms
from accounts.forms import PhoneField
from accounts.models import User

logger = logging.getLogger(__name__)

MFA_LABEL = b"bananarouter mfa_authenticator.data v1"
# The number that somebody who signs up wants to prove: kept apart from users until then.
PENDING_PHONE = "pending_phone"
# What we keep of a user of another site: enough to name it.
SOCIAL_FIELDS = ("login", "name", "email")


class AccountAdapter(DefaultAccountAdapter):
    """Gives every new user an account that pays and what was agreed to, in one transaction."""

    error_messages = {**DefaultAccountAdapter.error_messages, **error_words.ACCOUNT}

    def save_user(
        self,
        request: HttpRequest,
        user: AbstractBaseUser,
        form: Any,
        commit: bool = True,  # noqa: FBT001, FBT002  allauth's signature
    ) -> AbstractBaseUser:
        asked = form.cleaned_data
        person = cast("User", user)
        person.display_name = asked["display_name"]
        with transaction.atomic():
            saved = super().save_user(request, user, form, commit=commit)
            if commit:
                owners.open_signed_up(
                    person,
                    country=asked["country"],
                    attests_ownership=asked.get("attests_ownership", False),
                    allows_cross_border=asked["allows_cross_border"],
                    now=timezone.now(),
                )
        return saved

    def get_login_stages(self) -> list[str]:
        """Prove the address before the phone: a message costs money, and would tell more."""
        stages = super().get_login_stages()
        return sorted(stages, key=lambda stage: stage.endswith(".PhoneVerificationStage"))

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        words = {
            "reauthenticate": _("Use your password"),
            "mfa_reauthenticate": _("Use a code from your app"),
            "mfa_reauthenticate:webauthn": _("Use a passkey"),
        }
        methods = super().get_reauthentication_methods(user)
        return [{**method, "description": words[method["id"]]} for method in methods]

    # Alerts

    def post_login(
        self, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any
    ) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **kwargs)
        alerts.logged_in(
            cast("User", user),
            device=_device(request),
            address=self.get_client_ip(request),
            now=timezone.now(),
        )
        return response

    def send_notification_mail(
        self,
        template_prefix: str,
        user: AbstractBaseUser,
        context: dict[str, Any] | None = None,  # noqa: ARG002  allauth's signature
        email: str | None = None,
    ) -> None:
        """Tell by all the ways of our notices; a mail server that is away fails no request."""
        person = cast("User", user)
        alerts.credential_changed(
            person,
            template_prefix.rpartition("/")[2],
            device=_device(self.request),
            address=email or "",
            now=timezone.now(),
        )

    # Phones

    def phone_form_field(self, **kwargs: Any) -> forms.Field:
        return PhoneField(**kwargs)

    def set_phone(self, user: AbstractBaseUser, phone: str, verified: bool) -> None:  # noqa: FBT001
        if verified:
            self.set_phone_verified(user, phone)
        else:
            context.request.session[PENDING_PHONE] = {"user": user.pk, "phone": phone}

    def get_phone(self, user: AbstractBaseUser) -> tuple[str, bool] | None:
        person = cast("User", user)
        pending = context.request.session.get(PENDING_PHONE)
        if pending and pending["user"] == user.pk:
            return pending["phone"], False
        return (person.phone, True) if person.phone_verified_at else None

    def set_phone_verified(self, user: AbstractBaseUser, phone: str) -> None:
        context.request.session.pop(PENDING_PHONE, None)
        phones.confirm(user=cast("User", user), phone=phone, now=timezone.now())

    def get_user_by_phone(self, phone: str) -> AbstractBaseUser | None:
        return phones.holder(phone)

    def send_verification_code_sms(
        self,
        user: AbstractBaseUser,  # noqa: ARG002  allauth's signature
        phone: str,
        code: str,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        try:
            sms.send_code(phone=phone, code=code)
        except sms.SmsFailed as error:
            logger.error("sms_failed", extra={"code": error.code})
            messages.error(
                context.request,
                _("The text message could not be sent. Try again later, or go on without it."),
            )


def _device(request: HttpRequest) -> str:
    return devices.family(request.META.get("HTTP_USER_AGENT", ""))


class MFAAdapter(DefaultMFAAdapter):
    """Keeps TOTP secrets and the seeds of recovery codes encrypted."""

    error_messages = {**DefaultMFAAdapter.error_messages, **error_words.MFA}

    def encrypt(self, text: str) -> str:
        return sealing.seal(text, label=MFA_LABEL)

    def decrypt(self, encrypted_text: str) -> str:
        return sealing.unseal(encrypted_text, label=MFA_LABEL)

    def generate_authenticator_name(
        self,
        user: AbstractBaseUser,
        type: Authenticator.Type,  # noqa: A002  allauth's signature
    ) -> str:
        count = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return _("Passkey %(number)d") % {"number": count + 1}

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {**super().get_public_key_credential_rp_entity(), "name": "BananaRouter"}


class SocialAdapter(DefaultSocialAccountAdapter):
    """Log-in with other sites that the settings name, keeping little of what they tell."""

    error_messages = {**DefaultSocialAccountAdapter.error_messages, **error_words.SOCIAL}

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """Leave out apps of the database: their secrets would lie there in the clear."""
        found = super().list_apps(request, provider=provider, client_id=client_id)
        return [app for app in found if app.pk is None]

    def get_app(
        self, request: HttpRequest, provider: str, client_id: str | None = None
    ) -> SocialApp:
        apps = self.list_apps(request, provider=provider, client_id=client_id)
        if not apps:
            raise Http404
        return apps[0]

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:  # noqa: ARG002
        account = sociallogin.account
        told = account.extra_data
        account.extra_data = {name: told[name] for name in SOCIAL_FIELDS if name in told}
        if account.pk:
            account.save(update_fields=["extra_data"])

    def get_signup_form_initial_data(self, sociallogin: SocialLogin) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_signup_form_initial_data(sociallogin)
        return {**initial, "display_name": sociallogin.account.extra_data.get("name") or ""}
