"""Kinds and states of requests in people's words."""

from django.utils.translation import gettext_lazy as _

from accounts.models import ContactRequest
from bananarouter.pages.words import Words

Kind = ContactRequest.Kind
State = ContactRequest.State

KINDS: dict[str, Words] = {
    Kind.QUESTION: _("A question"),
    Kind.ACCESS: _("Get a copy of my data"),
    Kind.CORRECTION: _("Correct my data"),
    Kind.DELETION: _("Delete my account and data"),
    Kind.SECURITY: _("A weakness in security"),
    Kind.ABUSE: _("A report of abuse"),
    Kind.DISPUTE: _("A disputed charge"),
}
# What the form offers; the others have a page of their own.
ASKED = (Kind.QUESTION, Kind.ACCESS, Kind.CORRECTION, Kind.DELETION, Kind.SECURITY)

STATES: dict[str, Words] = {
    State.OPEN: _("waiting for us"),
    State.ANSWERED: _("answered"),
    State.CLOSED: _("closed"),
}
BADGES = {State.OPEN: "info", State.ANSWERED: "good", State.CLOSED: ""}
