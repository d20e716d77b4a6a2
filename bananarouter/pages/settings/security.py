"""How a user logs in, at a glance: each row leads to the page that changes it."""

from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from accounts import phones
from accounts.models import User
from bananarouter.pages.shell import Page, Private, of


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """A user's second factors and passkeys."""

    has_app: bool
    passkeys: tuple[str, ...]
    # None: there are no recovery codes, because nothing needs recovery.
    recovery_codes_left: int | None


def factors_of(user: User) -> Factors:
    """Read a user's second factors (one query)."""
    rows = list(Authenticator.objects.filter(user=user).order_by("pk"))
    by_type: dict[str, list[Any]] = {}
    for row in rows:
        by_type.setdefault(row.type, []).append(row.wrap())
    codes = by_type.get(Authenticator.Type.RECOVERY_CODES)
    return Factors(
        has_app=Authenticator.Type.TOTP in by_type,
        passkeys=tuple(key.name for key in by_type.get(Authenticator.Type.WEBAUTHN, ())),
        recovery_codes_left=len(codes[0].get_unused_codes()) if codes else None,
    )


class Security(Page):
    """Password, second factors, passkeys, sessions, other sites, address and phone."""

    template_name = "settings/security.html"
    nav = "settings"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = of(self.request).user
        return super().get_context_data(
            tab="security",
            factors=factors_of(user),
            session_count=UserSession.objects.filter(user=user).count(),
            connected=SocialAccount.objects.filter(user=user).values_list("provider", flat=True),
            **kwargs,
        )


class ForgetPhone(Private):
    """Remove the phone number."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        phones.forget(user=of(request).user)
        messages.success(request, _("Your phone number is gone."))
        return redirect("security")
