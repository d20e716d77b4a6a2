"""The staff site's log-in: allauth's, so that its limits and second factor hold for staff too."""

from typing import Final

from django.contrib import admin, messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views import View

from bananarouter import staff_factor
from bananarouter.staff_factor import Missing

WHY: Final = {
    Missing.FACTOR: _(
        "The staff site needs a second factor, and you have none yet. Set up an authenticator app "
        "or a passkey here, then open the staff site again."
    ),
    Missing.PROOF: _("The staff site needs your second factor once in each session."),
}


class LogIn(View):
    """Send a stranger to log in and then back, staff to their second factor; tell the others."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if admin.site.has_permission(request):
            return redirect("admin:index")
        wanted = request.GET.get("next", "")
        if not url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
            wanted = reverse("admin:index")
        if not request.user.is_authenticated:
            return redirect_to_login(wanted)
        lack = staff_factor.missing(request) if request.user.is_staff else None
        if lack is None:
            # The staff site sent this user here: going back would end in a circle.
            raise PermissionDenied
        messages.warning(request, WHY[lack])
        return redirect(staff_factor.way(request.user, lack, back=wanted))
