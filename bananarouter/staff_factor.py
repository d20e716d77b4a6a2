"""The second factor of staff: one that they have, and that opened this session."""

from enum import StrEnum
from typing import Final

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

# Recovery codes stand in for one of these, and are none.
FACTORS: Final = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


class Missing(StrEnum):
    """What a member of staff has not done yet."""

    FACTOR = "factor"  # set up a second factor
    PROOF = "proof"  # use it in this session


def missing(request: HttpRequest) -> Missing | None:
    """Return what keeps a user from the staff site, where a second factor is needed at all.

    allauth notes in the session by which methods its user logged in, or proved it again.
    """
    user = request.user
    if not settings.STAFF_SECOND_FACTOR or isinstance(user, AnonymousUser):
        return None
    if not is_mfa_enabled(user, types=FACTORS):
        return Missing.FACTOR
    methods = {record.get("method") for record in get_authentication_records(request, user)}
    return None if "mfa" in methods else Missing.PROOF


def way(user: AbstractBaseUser, lack: Missing, *, back: str) -> str:
    """Return where a user does what is missing; after a proof the browser goes `back`."""
    if lack is Missing.FACTOR:
        return reverse("security")
    has_codes = is_mfa_enabled(user, types=[Authenticator.Type.TOTP])
    page = reverse("mfa_reauthenticate" if has_codes else "mfa_reauthenticate_webauthn")
    return f"{page}?{urlencode({'next': back})}"
