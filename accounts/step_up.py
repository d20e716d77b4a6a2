"""A fresh log-in before staff move money or decide: who asks proves once more that it is them.

allauth notes in the session how and when its user logged in, or proved it again. What was typed
into a form meanwhile is kept, and shown again; nothing is carried out by itself.
"""

import time
from collections.abc import Iterator
from typing import Final

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from django import forms
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse

# By the path of its form: when it was sent, and its fields.
KEPT: Final = "step_up_forms"
KEPT_S: Final = 15 * 60
FORMS_MAX, CHARS_MAX = 3, 10_000


def is_fresh(request: HttpRequest) -> bool:
    """Tell whether a user's latest proof is younger than STAFF_CONFIRM_MINUTES."""
    user = request.user
    records = get_authentication_records(request, user) if user.is_authenticated else []
    if not records:
        return False
    age_s: float = time.time() - records[-1]["at"]
    return 0 <= age_s < settings.STAFF_CONFIRM_MINUTES * 60


def ask(request: HttpRequest, form: forms.BaseForm | None = None) -> HttpResponse:
    """Send a user to prove it, and then back to this page; keep what was typed into its form."""
    path = request.get_full_path()
    if not get_adapter().get_reauthentication_methods(request.user):
        # Who logs in by another site alone proves it there. What was typed ends with the session.
        logout(request)
        return redirect_to_login(path)
    if form is not None and form.is_bound:
        _keep(request, form)
    return redirect_to_login(path, reverse("account_reauthenticate"))


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


def _keep(request: HttpRequest, form: forms.BaseForm) -> None:
    """Keep a form's fields, of the youngest few forms: neither files nor passwords."""
    known = request.session.get(KEPT, {})
    others = [(path, one) for path, one in known.items() if path != request.path]
    kept = dict([pair for pair in others if _is_young(pair[1])][1 - FORMS_MAX :])
    fields = {name: request.POST.getlist(name) for name in _names(form) if name in request.POST}
    if sum(len(value) for values in fields.values() for value in values) <= CHARS_MAX:
        kept[request.path] = {"at": time.time(), "fields": fields}
    request.session[KEPT] = kept


def _is_young(kept: dict[str, float]) -> bool:
    return 0 <= time.time() - kept["at"] < KEPT_S


def _names(form: forms.BaseForm) -> Iterator[str]:
    """Return under which names a browser sends what a form keeps."""
    for bound in form:
        widget = bound.field.widget
        if isinstance(widget, forms.PasswordInput) or widget.needs_multipart_form:
            continue
        # A date and a time are two inputs of one field.
        for ending in getattr(widget, "widgets_names", ("",)):
            yield bound.html_name + ending
