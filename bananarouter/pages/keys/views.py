"""API keys: list them, look at one, make, change, rotate, disable and delete them."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import keys, roles
from accounts.models import Account, ApiKey, User
from bananarouter.pages import first_call
from bananarouter.pages.keys import forms, listing
from bananarouter.pages.shell import Page, Private, of, origin
from billing import budgets, queries

PAGE_ROWS = 50


def create(*, account: Account, created_by: User, form: forms.Key) -> tuple[ApiKey, str]:
    """Mint the key of a valid form, with its limits. Raises: keys.AlreadyMade."""
    limits = {period: limit for period, limit in form.limits.items() if limit is not None}
    with transaction.atomic():
        key, text = keys.mint(
            account=account,
            created_by=created_by,
            form_id=form.cleaned_data["form_id"],
            **form.scope,
        )
        if limits:
            budgets.set_limits(api_key_id=key.pk, limits=limits, now=form.now)
    return key, text


def change(key: ApiKey, *, form: forms.Key | forms.Management) -> None:
    """Give a key what a valid form says, on every worker within a second."""
    with transaction.atomic():
        if isinstance(form, forms.Key) and form.limits != form.limits_before:
            budgets.set_limits(api_key_id=key.pk, limits=form.limits, now=form.now)
        keys.change(key, **form.scope)


class Keys(Page):
    """The account's keys, working ones first."""

    template_name = "keys/list.html"
    nav = "keys"
    needs = roles.may_see_requests

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shell, now = of(self.request), timezone.now()
        found = listing.readable(shell).filter(account=self.account)
        page = Paginator(listing.ordered(found, now=now), PAGE_ROWS).get_page(
            self.request.GET.get("page")
        )
        rows = listing.rows(list(page.object_list), shell=shell, now=now)
        return super().get_context_data(page=page, rows=rows, **kwargs)


class _OneKey(Page):
    """A page about one key that its user may change."""

    nav = "keys"
    needs = roles.may_make_keys

    def key(self) -> ApiKey:
        """Return the key. Raises: Http404."""
        found = listing.changeable(of(self.request)).select_related("account")
        return get_object_or_404(found, pk=self.kwargs["key_id"])

    def shown(self, key: ApiKey, text: str) -> HttpResponse:
        """Show a key's text, this once: never through the session, which is in the database."""
        self.template_name = "keys/created.html"
        return self.render_to_response(
            self.get_context_data(
                key=key,
                text=text,
                origin=origin(self.request),
                model=None
                if key.is_management
                else first_call.model_for(key.account, now=timezone.now()),
            )
        )

    def made_before(self, key: ApiKey) -> HttpResponse:
        """Say that this form has made its key."""
        self.template_name = "keys/made_before.html"
        return self.render_to_response(self.get_context_data(key=key), status=409)


class New(_OneKey):
    """The form of a new key; its answer shows the key's text."""

    template_name = "keys/new.html"

    def form(self, *data: Any) -> forms.Key:
        """Return the form."""
        return forms.Key(*data, account=self.account, now=timezone.now())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.form(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        try:
            key, text = create(account=self.account, created_by=of(request).user, form=form)
        except keys.AlreadyMade as error:
            return self.made_before(error.key)
        return self.shown(key, text)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if "key" not in kwargs:
            kwargs.setdefault("form", self.form())
        return super().get_context_data(**kwargs)


class NewManagement(_OneKey):
    """The form of a new key that manages the others."""

    template_name = "keys/new_management.html"
    needs = roles.may_manage_keys

    def form(self, *data: Any) -> forms.Management:
        """Return the form."""
        return forms.Management(*data, account=self.account, now=timezone.now())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.form(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        try:
            key, text = keys.mint(
                account=self.account,
                created_by=of(request).user,
                is_management=True,
                form_id=form.cleaned_data["form_id"],
                **form.scope,
            )
        except keys.AlreadyMade as error:
            return self.made_before(error.key)
        return self.shown(key, text)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if "key" not in kwargs:
            kwargs.setdefault("form", self.form())
        return super().get_context_data(**kwargs)


class Details(Page):
    """One key: what it may do, what it spent, who made it."""

    template_name = "keys/details.html"
    nav = "keys"
    needs = roles.may_see_requests

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shell, now = of(self.request), timezone.now()
        found = listing.readable(shell).select_related("account", "created_by", "replaces")
        key = get_object_or_404(found, pk=self.kwargs["key_id"])
        (row,) = listing.rows([key], shell=shell, now=now)
        newer = key.replaced_by.filter(disabled_at=None).first()
        return super().get_context_data(row=row, key=key, newer=newer, **kwargs)


class Edit(_OneKey):
    """Change what a key may do."""

    template_name = "keys/edit.html"

    def form(self, key: ApiKey, *data: Any) -> forms.Key | forms.Management:
        """Return the form, filled with what holds."""
        now = timezone.now()
        if key.is_management:
            return forms.Management(*data, account=key.account, key=key, now=now)
        limits = queries.key_limits(key.account_id, now=now).get(key.limits_key_id, ())
        return forms.Key(
            *data,
            account=key.account,
            key=key,
            now=now,
            limits={limit.period: limit.limit_nusd for limit in limits},
        )

    def post(self, request: HttpRequest, key_id: int) -> HttpResponse:  # noqa: ARG002
        key = self.key()
        form = self.form(key, request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(key=key, form=form))
        change(key, form=form)
        messages.success(request, _("“%(name)s” is changed.") % {"name": key.name})
        return redirect("key", key_id=key.pk)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        key = kwargs.pop("key", None) or self.key()
        kwargs.setdefault("form", self.form(key))
        return super().get_context_data(key=key, **kwargs)


class Rotate(_OneKey):
    """Put a new key in a key's place; its answer shows the new key's text."""

    template_name = "keys/rotate.html"

    def post(self, request: HttpRequest, key_id: int) -> HttpResponse:  # noqa: ARG002
        key, form = self.key(), forms.Rotate(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(key=key, form=form))
        try:
            new, text = keys.rotate(key, overlap=form.duration, now=timezone.now())
        except keys.AlreadyRotated as error:
            return self.made_before(error.key)
        except keys.NotActive:
            messages.error(
                request,
                _("“%(name)s” does not work: enable it first, or create a new key.")
                % {"name": key.name},
            )
            return redirect("key", key_id=key.pk)
        return self.shown(new, text)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.setdefault("form", forms.Rotate())
        if "key" not in kwargs:
            kwargs["key"] = self.key()
        return super().get_context_data(**kwargs)


class Delete(_OneKey):
    """Ask before a key is deleted, then delete it."""

    template_name = "keys/delete.html"

    def post(self, request: HttpRequest, key_id: int) -> HttpResponse:  # noqa: ARG002
        key = self.key()
        keys.delete(key)
        messages.success(request, _("“%(name)s” is deleted.") % {"name": key.name})
        return redirect("keys")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(key=self.key(), **kwargs)


class Pause(Private):
    """Disable a key or enable it again; sent twice it does the same."""

    http_method_names = ["post"]
    needs = roles.may_make_keys

    def post(self, request: HttpRequest, key_id: int) -> HttpResponse:
        found = listing.changeable(of(request)).filter(disabled_at=None)
        key = get_object_or_404(found, pk=key_id)
        is_paused = request.POST.get("wanted") == "disabled"
        try:
            keys.set_paused(key, is_paused=is_paused)
        except keys.KeyHeld:
            messages.error(request, _("We paused this key after a report of abuse; see your mail."))
            return redirect("key", key_id=key.pk)
        said = _("“%(name)s” is disabled.") if is_paused else _("“%(name)s” is enabled.")
        messages.success(request, said % {"name": key.name})
        return redirect("key", key_id=key.pk)
