"""Staff lift the block of an address whose owner asks: a broken client of theirs guessed keys."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views import View

from accounts.models import Change
from bananarouter import staff_audit
from routing import lifting

NEEDS = "accounts.lift_block"


class Address(forms.Form):
    """Which address is let in again."""

    address = forms.GenericIPAddressField(
        unpack_ipv4=True,
        help_text="As its owner tells it. Of an IPv6 address, its whole /64 network is let in.",
    )


class Lift(View):
    """A form for one address; nobody can list the blocked ones: workers know digests alone."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not request.user.is_authenticated or not request.user.has_perm(NEEDS):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(request, Address())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Tell every worker; an address that is not blocked stays as it is."""
        form = Address(request.POST)
        if not form.is_valid():
            return self._page(request, form)
        with transaction.atomic():
            # Who did it and when; the address stands nowhere but in the change, sealed.
            staff_audit.note(request, Change, "Let an address in again.")
            lifting.announce(form.cleaned_data["address"])
        messages.success(request, "Every worker lets the address in within a second.")
        return HttpResponseRedirect(reverse("admin:lift_block"))

    def _page(self, request: HttpRequest, form: Address) -> HttpResponse:
        context = {**admin.site.each_context(request), "title": "Lift a block", "form": form}
        return TemplateResponse(request, "admin/lift_block.html", context)
