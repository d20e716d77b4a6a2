"""Invite people to the account; send an invitation again or take it back."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import invitations, members, roles
from accounts.models import Invitation, Membership
from bananarouter.pages.organization.people import RoleForm
from bananarouter.pages.shell import Page, Private, of, origin

# Why an invitation was refused, beside the address.
REFUSALS: dict[type[Exception], Promise] = {
    invitations.NotAnOrganization: _(
        "This is your own account. Make an organization to work together."
    ),
    invitations.AlreadyMember: _("Somebody with this address is a member already."),
    invitations.AlreadyInvited: _(
        "This address is invited already. Send that invitation again, or take it back first."
    ),
    invitations.TooManyInvitations: _(
        "This account has sent as many invitations as it may for now. Try again tomorrow."
    ),
}
NOT_SENT = _(
    "The invitation is made, but the mail could not be sent now. Send it again in a minute."
)


class InviteForm(RoleForm):
    """Whom to invite, in which role."""

    email = forms.EmailField(
        label=_("Email"), widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    field_order = ["email", "role"]


def link_of(request: HttpRequest) -> invitations.Link:
    """Return what makes the address of an invitation's page from its token."""
    return lambda token: origin(request) + reverse("invitation", args=[token])


class Invite(Page):
    """The form of an invitation; the answer to it is a mail."""

    template_name = "organization/invite.html"
    nav = "settings"
    needs = roles.may_manage_members

    def post(self, request: HttpRequest) -> HttpResponse:
        form = InviteForm(request.POST, by=of(request).role)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        try:
            made = invitations.invite(
                account_id=self.account.pk,
                email=form.cleaned_data["email"],
                role=form.cleaned_data["role"],
                actor=of(request).user,
                link=link_of(request),
                now=timezone.now(),
            )
        except tuple(REFUSALS) as error:
            form.add_error("email", str(REFUSALS[type(error)]))
            return self.render_to_response(self.get_context_data(form=form))
        except members.NotAllowed:
            return render(request, "forbidden_role.html", status=403)
        except invitations.NotSent:
            messages.error(request, NOT_SENT)
        else:
            messages.success(request, _("An invitation goes to %(email)s.") % {"email": made.email})
        return redirect("organization")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        initial = {"role": Membership.Role.DEVELOPER}
        kwargs.setdefault("form", InviteForm(initial=initial, by=of(self.request).role))
        return super().get_context_data(
            tab="organization", valid_days=invitations.VALID.days, **kwargs
        )


class Resend(Private):
    """Send an open invitation again."""

    http_method_names = ["post"]
    needs = roles.may_manage_members

    def post(self, request: HttpRequest, invitation_id: int) -> HttpResponse:
        try:
            sent = invitations.resend(
                account_id=self.account.pk,
                invitation_id=invitation_id,
                actor=of(request).user,
                link=link_of(request),
                now=timezone.now(),
            )
        except Invitation.DoesNotExist as error:
            raise Http404 from error
        except members.NotAllowed:
            return render(request, "forbidden_role.html", status=403)
        except invitations.TooSoon:
            messages.info(request, _("The mail went out a moment ago. Give it a minute."))
        except invitations.NotSent:
            messages.error(request, NOT_SENT)
        else:
            messages.success(
                request,
                _("A new link goes to %(email)s; the one before stops.") % {"email": sent.email},
            )
        return redirect("organization")


class Revoke(Private):
    """Take an open invitation back."""

    http_method_names = ["post"]
    needs = roles.may_manage_members

    def post(self, request: HttpRequest, invitation_id: int) -> HttpResponse:
        try:
            gone = invitations.revoke(
                account_id=self.account.pk,
                invitation_id=invitation_id,
                actor=of(request).user,
                now=timezone.now(),
            )
        except Invitation.DoesNotExist as error:
            raise Http404 from error
        except members.NotAllowed:
            return render(request, "forbidden_role.html", status=403)
        messages.success(
            request, _("The invitation of %(email)s is taken back.") % {"email": gone.email}
        )
        return redirect("organization")
