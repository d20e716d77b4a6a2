"""A fresh log-in before staff move money or decide: who asks proves once more that it is them.

allauth notes in the session how and when its user logged in, or proved it again. Who has a second
factor proves that as well as the password: neither alone is enough. What was typed into a form
meanwhile is kept, and shown again; nothing is carried out by itself.
"""

import time
from collections.abc import Collection, Iterator
from typing import Any, Final

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

# Recovery codes stand in for one of these, and are none.
FACTORS: Final = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
FIRST_PAGE: Final = "account_reauthenticate"
# By the path of its form: when it was sent, and its fields.
KEPT: Final = "step_up_forms"
KEPT_S: Final = 15 * 60
FORMS_MAX, CHARS_MAX = 3, 10_000


def has_factor(user: AbstractBaseUser) -> bool:
    """Tell whether a user has an authenticator app or a passkey."""
    return bool(is_mfa_enabled(user, types=FACTORS))


def factor_page(user: AbstractBaseUser) -> str:
    """Return the name of the page where a user proves a second factor.

    Both pages lead to the other, and the first takes recovery codes, too.
    """
    has_codes = is_mfa_enabled(user, types=[Authenticator.Type.TOTP])
    return "mfa_reauthenticate" if has_codes else "mfa_reauthenticate_webauthn"


def is_fresh(request: HttpRequest) -> bool:
    """Tell whether all that a user can prove was proven less than STAFF_CONFIRM_MINUTES ago."""
    return request.user.is_authenticated and _next_page(request) is None


def ask(
    request: HttpRequest, form: forms.BaseForm | None = None, *, names: Collection[str] = ()
) -> HttpResponse:
    """Send a user to prove it, and then back to this page.

    What was typed into its form is kept, or else what was sent under these names.
    """
    path, user = request.get_full_path(), request.user
    if not get_adapter().get_reauthentication_methods(user):
        # Who logs in by another site alone proves it there. What was typed ends with the session.
        logout(request)
        return redirect_to_login(path)
    if form is not None and form.is_bound:
        names = list(_names(form))
    if names:
        _keep(request, names)
    page = _next_page(request) or FIRST_PAGE
    if page != FIRST_PAGE:
        text = _("Prove your second factor, too.")
        messages.info(request, text, fail_silently=True)
    elif user.is_authenticated and has_factor(user):
        text = _("Prove your password first, then your second factor.")
        messages.info(request, text, fail_silently=True)
    return redirect_to_login(path, reverse(page))


def _next_page(request: HttpRequest) -> str | None:
    """Return the name of the page where a user gives the next proof, or None: all are fresh."""
    user = request.user
    records = get_authentication_records(request, user) if user.is_authenticated else []
    fresh = [record for record in records if _is_fresh(record)]
    if not user.is_authenticated or not has_factor(user):
        return None if fresh else FIRST_PAGE
    if user.has_usable_password() and not any(_is_first(record) for record in fresh):
        return FIRST_PAGE
    return None if any(_is_factor(record) for record in fresh) else factor_page(user)


def _is_fresh(record: dict[str, Any]) -> bool:
    age_s: float = time.time() - record["at"]
    return 0 <= age_s < settings.STAFF_CONFIRM_MINUTES * 60


def _is_factor(record: dict[str, Any]) -> bool:
    return record.get("method") == "mfa"


def _is_first(record: dict[str, Any]) -> bool:
    # A log-in by passkey alone has the device see who holds it: that is both in one.
    return not _is_factor(record) or bool(record.get("passwordless"))


def typed(request: HttpRequest) -> QueryDict | None:
    """Return, once, what was typed into the form of this page before the proof; else None."""
    kept = request.session.get(KEPT, {})
    found = kept.get(request.path)
    if found is None:
        return None
    request.session[KEPT] = {path: one for path, one in kept.items() if path != request.path}
    if not _is_young(found):
        return None
    data = QueryDict(mutable=True)
    for name, values in found["fields"].items():
        data.setlist(name, values)
    return data


def _keep(request: HttpRequest, names: Collection[str]) -> None:
    """Keep what was sent under these names, of the youngest few forms."""
    known = request.session.get(KEPT, {})
    others = [(path, one) for path, one in known.items() if path != request.path]
    kept = dict([pair for pair in others if _is_young(pair[1])][1 - FORMS_MAX :])
    fields = {name: request.POST.getlist(name) for name in names if name in request.POST}
    if sum(len(value) for values in fields.values() for value in values) <= CHARS_MAX:
        kept[request.path] = {"at": time.time(), "fields": fields}
    request.session[KEPT] = kept


def _is_young(kept: dict[str, float]) -> bool:
    return 0 <= time.time() - kept["at"] < KEPT_S


def _names(form: forms.BaseForm) -> Iterator[str]:
    """Return under which names a browser sends what is kept of a form: no files, no passwords."""
    for bound in form:
        widget = bound.field.widget
        if isinstance(widget, forms.PasswordInput) or widget.needs_multipart_form:
            continue
        # A date and a time are two inputs of one field.
        for ending in getattr(widget, "widgets_names", ("",)):
            yield bound.html_name + ending
