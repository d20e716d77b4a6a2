"""Saved cards: given on Stripe's page, forgotten here."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import roles
from bananarouter.pages.shell import Page, Private, origin
from billing.payments import cards
from billing.processors import base, registry

SESSION_CHARS_MAX = 128


class Cards(Page):
    """The account's saved cards; back from Stripe's page the new one is among them."""

    template_name = "billing/cards.html"
    nav = "billing"
    needs = roles.may_see_money

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        session_ref = request.GET.get("session", "")[:SESSION_CHARS_MAX]
        if session_ref:
            self._hear(session_ref)
            return redirect("billing_methods")
        return super().get(request, *args, **kwargs)

    def _hear(self, session_ref: str) -> None:
        try:
            is_saved = cards.hear(session_ref, now=timezone.now())
        except base.ProcessorError:
            text = _("Stripe does not answer right now. The card appears here once it does.")
            messages.warning(self.request, text)
            return
        if is_saved:
            messages.success(self.request, _("The card is saved."))
        else:
            messages.info(self.request, _("No card was saved."))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Lead on to where a card is given."""
        back = f"{origin(request)}{reverse('billing_methods')}?session={{CHECKOUT_SESSION_ID}}"
        try:
            url = cards.start_saving(self.account, return_url=back)
        except base.ProcessorError:
            messages.error(request, _("Stripe does not answer right now. Try again in a moment."))
            return redirect("billing_methods")
        context = self.get_context_data(going_to=url)
        response = self.render_to_response(context)
        # Not a redirect: after a form, browsers follow one only to where the CSP lets forms go.
        response["Refresh"] = f"0;url={url}"
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            tab="cards",
            cards=list(self.account.payment_methods.order_by("created_at", "pk")),
            can_save="stripe" in registry.offered(),
            **kwargs,
        )


class Forget(Private):
    """Forget a card, at Stripe and here."""

    http_method_names = ["post"]
    needs = roles.may_see_money

    def post(self, request: HttpRequest, method_id: int) -> HttpResponse:
        method = self.account.payment_methods.filter(pk=method_id).first()
        if method is None:
            raise Http404
        try:
            cards.forget(method)
        except base.ProcessorError:
            text = _("Stripe does not answer right now, so the card is still kept. Try again.")
            messages.error(request, text)
        else:
            messages.success(request, _("The card is removed."))
        return redirect("billing_methods")
