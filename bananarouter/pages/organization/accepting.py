"""The page behind an invitation's link: accept it, or read why one cannot."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView

from accounts import invitations
from accounts.invitations import Standing
from accounts.models import User
from bananarouter.pages.shell import SESSION_KEY

# Nothing is here, or not any more; the others are pages that lead on.
GONE = {Standing.OVER: 404, Standing.EXPIRED: 410}


class Accept(TemplateView):
    """Public, because who is invited may have no user yet; it names nobody before the proof."""

    template_name = "organization/invitation.html"

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return self._show(request, token)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        user, now = request.user, timezone.now()
        if not isinstance(user, User):
            return self._show(request, token)
        try:
            place = invitations.accept(token=token, user=user, now=now)
        except invitations.NotOpen:
            return self._show(request, token)
        request.session[SESSION_KEY] = place.account_id
        messages.success(
            request, _("You are a member of “%(account)s” now.") % {"account": place.account.name}
        )
        return redirect("overview")

    def _show(self, request: HttpRequest, token: str) -> HttpResponse:
        user = request.user if isinstance(request.user, User) else None
        offer = invitations.look(token=token, user=user, now=timezone.now())
        if offer.standing is Standing.JOINED:
            return redirect("overview")
        response = self.render_to_response(
            self.get_context_data(
                standing=offer.standing.value,
                invitation=offer.invitation,
                is_gone=offer.standing in GONE,
            ),
            status=GONE.get(offer.standing, 200),
        )
        add_never_cache_headers(response)
        return response
