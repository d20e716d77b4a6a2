"""The staff site's log-in: allauth's, so that its limits and second factor hold for staff too."""

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View


class LogIn(View):
    """Send a stranger to log in and then back; tell others that they are no staff."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if admin.site.has_permission(request):
            return redirect("admin:index")
        if request.user.is_authenticated:
            # The staff site sent this user here: going back would end in a circle.
            raise PermissionDenied
        wanted = request.GET.get("next", "")
        if not url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
            wanted = reverse("admin:index")
        return redirect_to_login(wanted)
