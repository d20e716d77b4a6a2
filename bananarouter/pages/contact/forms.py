"""Forms to write to the operator."""

import re
import uuid
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import contact, contact_links
from bananarouter.pages.contact import words

_REQUEST_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE
)


class Once(forms.Form):
    """A form that is sent once: it carries an id, and a field that only programs fill in."""

    use_required_attribute = True
    form_id = forms.CharField(required=False, widget=forms.HiddenInput, max_length=200)
    website = forms.CharField(
        label=_("Leave this empty"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "tabindex": "-1"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["form_id"].initial = contact_links.form

    def clean_form_id(self) -> uuid.UUID | None:
        """Return the id; None when it is too old or not ours, which only costs the guard."""
        return contact_links.form_id(self.cleaned_data["form_id"])

    @property
    def is_robot(self) -> bool:
        """Tell whether a program filled in what no person sees."""
        return bool(self.data.get(self.add_prefix("website")))


def _message(label: Any, help_text: Any = "") -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        max_length=contact.TEXT_CHARS_MAX,
        widget=forms.Textarea(attrs={"rows": 7}),
    )


class Sender(Once):
    """Who writes; a signed-in user need not say it."""

    name = forms.CharField(
        label=_("Your name"),
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.EmailField(
        label=_("Your email address"),
        max_length=254,
        help_text=_("We answer there."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )

    def __init__(self, *args: Any, is_signed_in: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_signed_in:
            del self.fields["name"], self.fields["email"]


class Ask(Sender):
    """Anything but abuse."""

    kind = forms.ChoiceField(
        label=_("What is it about?"),
        choices=lambda: [(kind.value, words.KINDS[kind]) for kind in words.ASKED],
    )
    message = _message(_("Your message"))
    field_order = ("kind", "name", "email", "message")


class Report(Sender):
    """Abuse of this service."""

    reference = forms.CharField(
        label=_("Where?"),
        max_length=200,
        help_text=_("A link, the ID of an API request, or the name of a user."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    message = _message(
        _("What happened?"), _("And when. Send no pictures or files of what is unlawful.")
    )
    field_order = ("reference", "message", "name", "email")

    @property
    def request_id(self) -> uuid.UUID | None:
        """The API request that the reference names."""
        found = _REQUEST_ID.search(self.cleaned_data["reference"])
        return uuid.UUID(found[0]) if found else None


class Reply(Once):
    """More on a request."""

    message = _message(_("Add something"))
