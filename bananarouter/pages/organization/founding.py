"""Make an organization: an account for several people."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.validators import RegexValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from accounts import members
from bananarouter.pages.shell import SESSION_KEY, Page, of


class NameField(forms.CharField):
    """The name of an account. It stands in mails to strangers, so it carries no address."""

    def __init__(self, **kwargs: Any) -> None:
        one_line = RegexValidator(r"^[^\r\n\t]*$", _("Write the name on one line."), code="lines")
        no_address = RegexValidator(
            r"://|www\.", _("A name contains no web address."), code="address", inverse_match=True
        )
        widget = forms.TextInput(attrs={"autocomplete": "organization"})
        super().__init__(
            label=_("Name"), max_length=80, validators=[one_line, no_address], widget=widget,
            **kwargs,
        )  # fmt: skip


class NewOrganization(forms.Form):
    """The name, and an id drawn with the form: sent twice, it makes one organization."""

    name = NameField(help_text=_("Your company, team or project. Members and receipts show it."))
    public_id = forms.UUIDField(widget=forms.HiddenInput)


class New(Page):
    """The form of a new organization, which is then the account looked at."""

    template_name = "organization/new.html"
    nav = "settings"

    def post(self, request: HttpRequest) -> HttpResponse:
        form = NewOrganization(request.POST)
        if form.is_valid():
            try:
                made = members.found(founder=of(request).user, **form.cleaned_data)
            except members.TooManyOrganizations:
                form.add_error("name", _("You own as many organizations as one person may."))
            except members.NotAllowed:
                form.add_error("name", _("This form was used before. Reload the page."))
            else:
                request.session[SESSION_KEY] = made.pk
                messages.success(request, _("The organization is made. Invite who works with you."))
                return redirect("organization")
        return self.render_to_response(self.get_context_data(form=form))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if "form" not in kwargs:
            kwargs["form"] = NewOrganization(initial={"public_id": uuid.uuid4()})
        return super().get_context_data(tab="organization", **kwargs)
