"""Members of the account: list, change, hand over, remove, leave."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import members, owners, roles
from accounts.models import Membership
from bananarouter.pages import words
from bananarouter.pages.organization import roster, stating
from bananarouter.pages.organization.founding import NameField
from bananarouter.pages.shell import SESSION_KEY, Page, of


class NameForm(forms.Form):
    """The name of the account."""

    name = NameField()


class Organization(Page):
    """Who works in the account; what each spent is for those who may see it."""

    template_name = "organization/organization.html"
    nav = "settings"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        may, now = of(self.request).may, timezone.now()
        kwargs.setdefault("form", NameForm(initial={"name": self.account.name}))
        return super().get_context_data(
            tab="organization",
            roster=roster.of(self.account, now=now),
            invitations=roster.open_invitations(self.account) if may["manage_members"] else [],
            statement=stating.of(self.account) if may["change_account"] else None,
            spent_days=roster.SPENT_DAYS,
            now=now,
            **kwargs,
        )


class Rename(Organization):
    """Give the account another name."""

    http_method_names = ["post"]
    needs = roles.may_change_account

    def post(self, request: HttpRequest) -> HttpResponse:
        form = NameForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        owners.rename(self.account, name=form.cleaned_data["name"])
        messages.success(request, _("The name is saved."))
        return redirect("organization")


class RoleForm(forms.Form):
    """One of the roles that the user may give."""

    role = forms.ChoiceField(label=_("Role"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, by: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [  # type: ignore[attr-defined]
            (role, words.ROLE_TEXTS[role])
            for role in Membership.Role
            if roles.can_appoint(by, role=role)
        ]


class KeysForm(forms.Form):
    """What becomes of the keys of who goes."""

    disables_keys = forms.BooleanField(
        label=_("Disable the keys, too"),
        required=False,
        initial=True,
        help_text=_("Whoever made a key may still know it. Programs that use one stop working."),
    )


class _OneMember(Page):
    """A page about one member of the account looked at."""

    nav = "settings"

    @property
    def member(self) -> Membership:
        """The member that the address names."""
        rows = Membership.objects.select_related("user")
        return get_object_or_404(rows, pk=self.kwargs["member_id"], account=self.account)

    def attempt(self, change: Callable[[], object], done: Any) -> HttpResponse:
        """Make a change and go back to the list; say why where it cannot be."""
        try:
            change()
        except Membership.DoesNotExist as error:
            raise Http404 from error
        except members.NotAllowed:
            return render(self.request, "forbidden_role.html", status=403)
        except members.LastOwner:
            messages.error(
                self.request,
                _("The account needs an owner. Make somebody else an owner first."),
            )
        else:
            messages.success(self.request, done)
        return redirect("organization")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        member = kwargs.setdefault("member", self.member)
        return super().get_context_data(
            tab="organization",
            can_appoint=roles.can_appoint(of(self.request).role, role=member.role),
            member_keys=roster.keys_of(member, now=timezone.now()),
            **kwargs,
        )


class Member(_OneMember):
    """One member: role, keys, and the ways to change them."""

    template_name = "organization/member.html"
    needs = roles.may_manage_members

    def post(self, request: HttpRequest, member_id: int) -> HttpResponse:
        member = self.member
        form = RoleForm(request.POST, by=of(request).role)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form, member=member))
        role = form.cleaned_data["role"]
        return self.attempt(
            lambda: members.change_role(
                account_id=self.account.pk,
                member_id=member_id,
                role=role,
                actor=of(request).user,
            ),
            _("%(name)s has the role “%(role)s” now.")
            % {"name": member.user.get_full_name(), "role": words.ROLES[role]},
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        member = kwargs.setdefault("member", self.member)
        role = of(self.request).role
        kwargs.setdefault("form", RoleForm(initial={"role": member.role}, by=role))
        return super().get_context_data(
            can_hand_over=roles.may_own(role) and member.user_id != of(self.request).user.pk,
            **kwargs,
        )


class HandOver(_OneMember):
    """Ask before the ownership goes to another member."""

    template_name = "organization/hand_over.html"
    needs = roles.may_own

    def post(self, request: HttpRequest, member_id: int) -> HttpResponse:
        name = self.member.user.get_full_name()
        return self.attempt(
            lambda: members.hand_over(
                account_id=self.account.pk, member_id=member_id, actor=of(request).user
            ),
            _("%(name)s owns the account now; you are an admin.") % {"name": name},
        )


class Remove(_OneMember):
    """Ask before a member is removed, and what becomes of the member's keys."""

    template_name = "organization/remove.html"
    needs = roles.may_manage_members

    def post(self, request: HttpRequest, member_id: int) -> HttpResponse:  # noqa: ARG002
        member = self.member
        done = _("%(name)s is no member any more.") % {"name": member.user.get_full_name()}
        return self.attempt(lambda: _remove(request, member), done)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(form=KeysForm(), **kwargs)


class Leave(_OneMember):
    """Ask before the user leaves the account."""

    template_name = "organization/remove.html"

    @property
    def member(self) -> Membership:
        rows = Membership.objects.select_related("user")
        return get_object_or_404(rows, account=self.account, user=of(self.request).user)

    def post(self, request: HttpRequest) -> HttpResponse:
        member, account = self.member, self.account
        done = _("You left “%(account)s”.") % {"account": account.name}
        response = self.attempt(lambda: _remove(request, member), done)
        if Membership.objects.filter(pk=member.pk).exists():
            return response
        request.session.pop(SESSION_KEY, None)
        return redirect("overview")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(form=KeysForm(), is_leaving=True, **kwargs)


def _remove(request: HttpRequest, member: Membership) -> int:
    return members.remove(
        account_id=member.account_id,
        member_id=member.pk,
        actor=of(request).user,
        disables_keys="disables_keys" in request.POST,
    )
