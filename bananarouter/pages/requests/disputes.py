"""Disputes: a member says that a charge is wrong; staff answer; it can be taken back."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import contact
from accounts.models import ContactRequest
from bananarouter.pages.requests.details import OfRequest
from bananarouter.pages.shell import Page, of
from routing.exchange import generation_id

TEXT_CHARS_MAX = 2_000
# In the subject, which staff read.
_REASONS = {
    "no_answer": _("I was charged, but got no whole answer"),
    "tokens": _("The number of tokens is wrong"),
    "price": _("The price is wrong"),
    "twice": _("I was charged twice"),
    "not_mine": _("This request was not mine"),
    "other": _("Something else"),
}


class Ask(forms.Form):
    """What is wrong with a charge."""

    use_required_attribute = True
    reason = forms.ChoiceField(
        label=_("What is wrong"), choices=[("", _("Choose what fits best")), *_REASONS.items()]
    )
    text = forms.CharField(
        label=_("Tell us more"),
        max_length=TEXT_CHARS_MAX,
        help_text=_("What you expected, and what you saw. Do not paste prompts or answers."),
        widget=forms.Textarea(attrs={"rows": 5}),
    )


class Say(forms.Form):
    """One more message."""

    use_required_attribute = True
    text = forms.CharField(
        label=_("Your message"),
        max_length=TEXT_CHARS_MAX,
        help_text=_("Do not paste prompts or answers."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class Dispute(OfRequest, Page):
    """The dispute of a request: the form that opens it, or what was said so far."""

    template_name = "requests/dispute.html"
    nav = "requests"

    def post(self, request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
        story, found = self.story, self.story.dispute
        is_open = found is not None and found.state != ContactRequest.State.CLOSED
        if not is_open and not story.may_be_disputed:
            return redirect("request", request_id)
        # The first form once more, from a double click, is no message of its own.
        is_more = is_open and "reason" not in request.POST
        form = Say(request.POST) if is_more else Ask(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        try:
            self._ask(**form.cleaned_data)
        except contact.TooMuch:
            messages.error(request, _("This conversation is full. Wait for our answer."))
        return redirect("request_dispute", request_id)

    def _ask(self, *, text: str, reason: str = "") -> None:
        """Open the dispute, or say more in it; the same words again change nothing."""
        user, row = of(self.request).user, self.story.row
        account = next(a for a in of(self.request).accounts if a.pk == row.account_id)
        contact.open_request(
            kind=ContactRequest.Kind.DISPUTE,
            source=ContactRequest.Source.PAGE,
            email=user.email,
            subject=f"Dispute ({reason}) of {generation_id(row.request_id)}",
            text=f"{_REASONS[reason]}.\n\n{text}" if reason else text,
            now=timezone.now(),
            user=user,
            account=account,
            request_id=row.request_id,
            proven=True,
        )
        messages.success(self.request, _("We have your words and will answer here."))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        story, found = self.story, self.story.dispute
        is_open = found is not None and found.state != ContactRequest.State.CLOSED
        if is_open or story.may_be_disputed:
            kwargs.setdefault("form", Say() if is_open else Ask())
        said = found.messages.select_related("author").order_by("pk") if found else ()
        return super().get_context_data(
            story=story, row=story.row, dispute=found, is_open=is_open, said=said, **kwargs
        )


class Withdraw(OfRequest):
    """Take a dispute back."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
        found = self.story.dispute
        if found is not None and contact.withdraw(found, now=timezone.now()):
            messages.success(request, _("The dispute is withdrawn."))
        return redirect("request_dispute", request_id)
