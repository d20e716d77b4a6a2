"""The second factor of staff: one that they have, and that opened this session."""

from enum import StrEnum

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from accounts import step_up


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
    if not step_up.has_factor(user):
        return Missing.FACTOR
    methods = {record.get("method") for record in get_authentication_records(request, user)}
    return None if "mfa" in methods else Missing.PROOF


def way(user: AbstractBaseUser, lack: Missing, *, back: str) -> str:
    """Return where a user does what is missing; after a proof the browser goes `back`."""
    if lack is Missing.FACTOR:
        return reverse("security")
    page = reverse(step_up.factor_page(user))
    return f"{page}?{urlencode({'next': back})}"
