"""What every signed-in page stands in: the account looked at, its balance, who may look."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import connection
from django.db.models import BooleanField, DateTimeField, Field, IntegerField, QuerySet, Subquery
from django.db.models.expressions import RawSQL
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.functional import cached_property
from django.views import View
from django.views.generic import TemplateView

from accounts import closures, inbox, roles
from accounts.models import Account, Membership, User
from bananarouter.pages import agreements
from billing import holds, queries, trials
from billing import models as billing
from logs.models import DebugSession

SESSION_KEY = "account_id"


class Shell:
    """The account that a signed-in user looks at; reads the database once, when asked."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def user(self) -> User:
        """The signed-in user. Raises: Http404 for a stranger, who has nothing here."""
        user = self._request.user
        if not isinstance(user, User):
            raise Http404
        return user

    @cached_property
    def memberships(self) -> Sequence[Membership]:
        """The user's places in accounts, oldest first, with their accounts."""
        if not isinstance(self._request.user, User):
            return ()
        rows = _with_news(self._request.user)
        return tuple(rows.order_by("created_at", "account_id"))

    @cached_property
    def debugging(self) -> Sequence[DebugSession]:
        """The user's debug sessions that run, with their keys; no query when there is none."""
        if not any(getattr(place, "has_debugging", False) for place in self.memberships):
            return ()
        rows = DebugSession.objects.filter(user=self.user, ended_at=None).select_related("api_key")
        return [found for found in rows if found.is_running(timezone.now())]

    @cached_property
    def accounts(self) -> Sequence[Account]:
        """The accounts that the user is a member of, oldest membership first."""
        return tuple(membership.account for membership in self.memberships)

    @cached_property
    def membership(self) -> Membership | None:
        """The user's place in the account chosen in this session, else in the first."""
        chosen = self._request.session.get(SESSION_KEY)
        first = self.memberships[0] if self.memberships else None
        return next((m for m in self.memberships if m.account_id == chosen), first)

    @property
    def closes_at(self) -> dt.datetime | None:
        """When the user, who asked for it, is going to be erased; None for nearly everybody."""
        return self.memberships[0].closes_at if self.memberships else None  # type: ignore[attr-defined]

    @property
    def account(self) -> Account | None:
        """The account looked at; None without any."""
        return self.membership.account if self.membership else None

    @property
    def role(self) -> str:
        """The user's role in that account; empty without any."""
        return self.membership.role if self.membership else ""

    @cached_property
    def may(self) -> dict[str, bool]:
        """What that role allows, by the questions of accounts.roles (for templates)."""
        return {name: answer(self.role) for name, answer in roles.QUESTIONS.items()}

    @cached_property
    def balance(self) -> queries.Balance | None:
        """The chosen account's balance."""
        return queries.balance(self.account.pk) if self.account else None

    @cached_property
    def unread(self) -> int:
        """How many notices the user has not read."""
        return self.memberships[0].unread or 0 if self.memberships else 0  # type: ignore[attr-defined]

    @cached_property
    def trial(self) -> billing.Trial | None:
        """The trial whose money is all that the chosen account has; None for most accounts."""
        account = self.account
        if account is None or not account.is_trial or self.hold:
            return None
        return trials.of(account.pk)

    @cached_property
    def hold(self) -> billing.Hold | None:
        """What keeps the chosen account to cheap models though it has money of its own."""
        account = self.account
        if account is None or not account.is_trial:
            return None
        found: billing.Hold | None = getattr(account, "hold", None)  # joined to its membership
        return found if holds.is_running(found, now=timezone.now()) else None

    @cached_property
    def policy_changes(self) -> Sequence[agreements.Change]:
        """The new terms or policies that the user has not agreed to yet; no query as a rule."""
        return agreements.changes(self._request, stamp=self._stamp)

    @property
    def _stamp(self) -> str:
        """A word that changes with every version published or announced; "" without any."""
        if not self.memberships:
            return ""
        first: Any = self.memberships[0]
        return f"{first.latest_policy}:{first.announced_at}" if first.latest_policy else ""

    @property
    def must_agree(self) -> bool:
        """True when one of them holds already: first comes the user's word."""
        return any(change.is_due for change in self.policy_changes)

    @property
    def trial_ceiling_nusd(self) -> int:
        """The dearest price of a million tokens that trial money, or held money, buys."""
        return settings.TRIAL_PRICE_NUSD_PER_MTOK_MAX


# What every page asks, with the user's places: no query of its own for each of it. Written as SQL,
# since Django takes longer to write these than all other queries of a page together.
_NEWS: "Mapping[str, tuple[str, Field[Any, Any]]]" = {
    "has_debugging": (
        """EXISTS (SELECT 1 FROM accounts_apikey k
        WHERE k.account_id = accounts_membership.account_id
        AND k.created_by_id = accounts_membership.user_id AND k.debug_until > %s)""",
        BooleanField(),
    ),
    "closes_at": (
        """(SELECT c.due_at FROM accounts_closure c
        WHERE c.user_id = accounts_membership.user_id AND c.state IN (%s, %s) LIMIT 1)""",
        DateTimeField(),
    ),
    "latest_policy": ("(SELECT MAX(p.id) FROM accounts_policyversion p)", IntegerField()),
    "announced_at": ("(SELECT MAX(p.announced_at) FROM accounts_policyversion p)", DateTimeField()),
}


def _with_news(user: User) -> QuerySet[Membership]:
    """Return a user's places with what every page asks, as attributes."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    values: dict[str, list[Any]] = {"has_debugging": [now], "closes_at": list(closures.WAITING)}
    rows = Membership.objects.filter(user=user).select_related("account__hold")
    return rows.annotate(
        unread=Subquery(inbox.unread(user)),
        **{
            name: RawSQL(sql, values.get(name, []), kind)  # noqa: S611 - of constants
            for name, (sql, kind) in _NEWS.items()
        },
    )


def of(request: HttpRequest) -> Shell:
    """Return the request's one shell."""
    found: Shell | None = getattr(request, "shell", None)
    if found is None:
        found = Shell(request)
        request.shell = found  # type: ignore[attr-defined]
    return found


def context(request: HttpRequest) -> dict[str, Any]:
    """Give `shell` to every template (a context processor); lazy, so it costs no query."""
    return {"shell": of(request)}


def origin(request: HttpRequest) -> str:
    """Return the scheme and host under which this very request came."""
    return f"{request.scheme}://{request.get_host()}"


class Private(LoginRequiredMixin, View):
    """A view for members of an account: signed in, never kept in a cache.

    `needs` is what a role must be allowed (a question of accounts.roles); None: every role.
    """

    needs: ClassVar[Callable[[str], bool] | None] = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase
        if request.user.is_authenticated and of(request).account is None:
            response = render(request, "no_account.html", status=403)
        elif request.user.is_authenticated and not self._allows(of(request).role):
            response = render(request, "forbidden_role.html", status=403)
        elif request.user.is_authenticated and self._waits_for_a_word(request):
            response = HttpResponseRedirect(agreements.url(request))
        else:
            response = super().dispatch(request, *args, **kwargs)
        add_never_cache_headers(response)
        return response

    def _waits_for_a_word(self, request: HttpRequest) -> bool:
        """Tell whether a changed policy must be agreed to first; leaving never waits for it."""
        return not request.path.startswith(agreements.OPEN) and of(request).must_agree

    @property
    def account(self) -> Account:
        """The account looked at."""
        account = of(self.request).account
        if account is None:  # dispatch() lets nobody without one through
            raise Http404
        return account

    @property
    def account_ids(self) -> list[int]:
        """All accounts in which the user's role allows this view."""
        return [m.account_id for m in of(self.request).memberships if self._allows(m.role)]

    @classmethod
    def _allows(cls, role: str) -> bool:
        return cls.needs is None or cls.needs(role)


class Page(Private, TemplateView):
    """A page in the shell; `nav` names its place in the rail."""

    nav = ""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(nav=self.nav, **kwargs)


class SwitchAccount(Private):
    """Look at another account that the user is a member of."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        wanted = request.POST.get("account", "")
        found = [a for a in of(request).accounts if str(a.public_id) == wanted]
        if not found:
            raise Http404
        request.session[SESSION_KEY] = found[0].pk
        return HttpResponseRedirect(reverse("overview"))
