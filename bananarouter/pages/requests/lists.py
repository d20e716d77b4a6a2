"""Requests: the list with its filters, the same list alive, and as CSV."""

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts import end_users, roles
from accounts.models import ApiKey, Membership
from accounts.timeids import DAY, moment
from bananarouter.pages import sheets
from bananarouter.pages.requests import filters, scope
from bananarouter.pages.shell import Page, Private, of
from billing.money import decimal_usd
from logs import debug, queries, search
from logs.models import RequestLog
from logs.search import Found, Wanted

PAGE_ROWS = 50
KEYS_OFFERED_MAX = 200
CSV_ROWS_MAX = 10_000
CSV_PAGE_ROWS = 2_000
# How often a search for the file may reach its bound and go on.
CSV_CUTS_MAX = 10
CSV_COLUMNS = (
    "request_id", "created_at", "surface", "model", "endpoint", "vendor", "jurisdiction",
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens",
    "reasoning_tokens", "is_estimated", "cost_usd", "sent_ms", "first_byte_ms", "total_ms",
    "status", "finish_reason", "error_code", "is_stream", "api_key_id", "api_key", "tag",
    "end_user", "source_ip",
)  # fmt: skip


class Listed(Private):
    """A view of the filtered requests that the user may see."""

    needs = roles.may_see_requests

    @cached_property
    def filters(self) -> filters.Filters:
        """The filters of the URL."""
        return filters.read(self.request.GET)

    @cached_property
    def membership(self) -> Membership:
        """The user's place in the account looked at."""
        membership = of(self.request).membership
        if membership is None:
            raise AssertionError("dispatch() lets nobody without an account through")
        return membership

    @cached_property
    def visible(self) -> tuple[int, ...] | None:
        """The keys whose requests the user may see; None: every one."""
        return scope.key_ids(self.membership, now=timezone.now())

    @cached_property
    def found(self) -> Found:
        """The page of the list that the URL names."""
        return self.find(self.filters.wanted(self.visible), rows_max=PAGE_ROWS)

    def find(self, wanted: Wanted, *, rows_max: int) -> Found:
        """Search the account's requests; a key of another account finds nothing."""
        if self.visible is None and wanted.key_ids:
            ours = ApiKey.objects.filter(account=self.account, pk__in=wanted.key_ids)
            wanted = replace(wanted, key_ids=tuple(ours.values_list("pk", flat=True)))
        return search.find(self.account.pk, wanted, rows_max=rows_max)

    def listing(self) -> dict[str, Any]:
        """Return what the list itself shows."""
        found, query = self.found, self.filters.query()
        is_first = self.filters.before is None
        return {
            "rows": found.rows,
            "is_filtered": self.filters.is_used,
            "is_first": is_first,
            "is_cut": found.is_cut,
            "looked_back_to": moment(found.older) if found.is_cut and found.older else None,
            "older": self.filters.query(before=str(found.older)) if found.older else "",
            "newest": query,
            "live": f"{reverse('requests_live')}?{query}" if is_first else "",
            "seen": seen(found.rows),
            "captured": self._captured(found.rows),
        }

    def _captured(self, rows: Sequence[RequestLog]) -> set[uuid.UUID]:
        """Return the requests whose content debug mode keeps for this user; mostly no query."""
        shell = of(self.request)
        if not shell.debugging:
            return set()
        return debug.captured([row.request_id for row in rows], user=shell.user)


def seen(rows: Sequence[RequestLog]) -> str:
    """Return a short name for just these rows: a row never changes once it is there."""
    ids = b"".join(row.request_id.bytes for row in rows)
    return hashlib.blake2s(ids, digest_size=8).hexdigest()


class Requests(Listed, Page):
    """The account's requests, newest first."""

    template_name = "requests/list.html"
    nav = "requests"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        whole_id = self.filters.whole_id
        if whole_id is not None and self.found.rows:
            return redirect("request", whole_id)
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        chosen = self.filters
        since = timezone.now().date() - settings.LOG_RETENTION_DAYS * DAY
        models, vendors = queries.used(self.account.pk, since=since, key_ids=self.visible)
        chosen.form.offer(
            models=models,
            vendors=vendors,
            keys=scope.keys(self.membership, count_max=KEYS_OFFERED_MAX),
        )
        return super().get_context_data(
            filters=chosen,
            form=chosen.form,
            end_user_form=EndUserForm(auto_id="%s"),
            without_end_user=chosen.query(without="user"),
            has_any=bool(self.found.rows or models),
            is_own_only=self.visible is not None,
            keys_shown=self._keys_shown(),
            csv_rows_max=CSV_ROWS_MAX,
            **self.listing(),
            **kwargs,
        )

    def _keys_shown(self) -> int | None:
        """Return how many of the user's own keys the list is of, where it leaves some out."""
        is_left_out = self.visible is not None and len(self.visible) > search.KEYS_MAX
        has_key = bool(self.filters.form.cleaned_data.get("key"))
        return search.KEYS_MAX if is_left_out and not has_key else None


class Live(Listed):
    """The newest page of the list once it has changed; 204 while it is what the reader has seen.

    The ids of the rows are compared, not a cursor: a request that ran for long comes in below
    others that began after it.
    """

    http_method_names = ["get"]

    def get(self, request: HttpRequest) -> HttpResponse:
        if request.GET.get("seen") == seen(self.found.rows):
            return HttpResponse(status=204)
        return TemplateResponse(request, "requests/rows.html", self.listing())


class EndUserForm(forms.Form):
    """Whose requests to look for; the name is hashed at once and stands in no URL."""

    end_user = forms.CharField(
        label=_("End user"),
        required=False,
        max_length=2_000,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "form": "end-user"}
        ),
    )


class EndUser(Listed):
    """Turn an end user's name into its hash, and show the requests with it."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        form = EndUserForm(request.POST)
        name = form.cleaned_data["end_user"] if form.is_valid() else ""
        hashes = end_users.digests(name, account_id=self.account.pk)
        query = self.filters.query(without="user", user="")
        if hashes:
            query = self.filters.query(user=",".join(hashes[: filters.DIGESTS_MAX]))
        return redirect(f"{reverse('requests')}?{query}")


class Download(Listed):
    """The filtered requests as CSV, newest first, up to a limit."""

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002
        names = dict(ApiKey.objects.filter(account=self.account).values_list("pk", "name"))
        rows = ([_value(row, column, names) for column in CSV_COLUMNS] for row in self._rows())
        return sheets.response("requests.csv", CSV_COLUMNS, rows)

    def _rows(self) -> Iterator[RequestLog]:
        wanted, left, cuts = self.filters.wanted(self.visible), CSV_ROWS_MAX, 0
        while left and cuts <= CSV_CUTS_MAX:
            found = self.find(wanted, rows_max=min(left, CSV_PAGE_ROWS))
            yield from found.rows
            if found.older is None:
                return
            left -= len(found.rows)
            cuts += found.is_cut
            wanted = replace(wanted, before=found.older)


def _value(row: RequestLog, column: str, names: dict[int, str]) -> object:
    if column == "cost_usd":
        return decimal_usd(row.cost_nusd)
    if column == "api_key":
        return names.get(row.api_key_id or 0)
    return getattr(row, column)
