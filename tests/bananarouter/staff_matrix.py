"""What somebody may do on the staff site, found by asking every page for everything."""

import time
import uuid

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from django.contrib import admin
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.core.exceptions import PermissionDenied
from django.db.models import UUIDField
from django.http import Http404
from django.test import RequestFactory
from django.urls import resolve, reverse

from accounts.sessions import SessionStore

PLAIN = ("changelist", "add", "change", "delete", "history")
NOTHING_DONE = "No action selected."
# What stands in an address where no row of ours can: its table says no before it looks.
BLANKS = {
    "id": 0, "processor": "stripe", "currency": "USD", "month": "2026-01",
    "request_id": uuid.UUID(int=0),
}  # fmt: skip


def own_pages():
    """The site's pages that belong to no table and are not Django's."""
    django_s = admin.AdminSite(admin.site.name).get_urls()
    ours, known = (
        {getattr(p, "name", None) for p in one} for one in (admin.site.get_urls(), django_s)
    )
    return sorted(ours - known - {"app_list"})


class Asker:
    """Asks as one user for every act, on the rows that are there and on one that is not.

    `rows` has rows by table, for the acts that depend on a row's state.
    """

    def __init__(self, user, rows):
        self._user, self._rows = user, rows
        self._factory = RequestFactory()

    def everything(self):
        """Return what the user may do: acts by table, and `open` of pages that belong to none."""
        found = {
            model._meta.label_lower: self._plain(page) | self._actions(page) | self._pages(page)
            for model, page in admin.site._registry.items()
        }
        found |= {name: {"open"} for name in own_pages() if self._allows(reverse(f"admin:{name}"))}
        return {name: acts for name, acts in found.items() if acts}

    def _plain(self, page):
        url = urls(page)
        pk = absent(page)
        sees = self._allows(url("changelist"))
        assert sees == self._allows(url("change", pk)), page
        for row in self._rows.get(page.opts.label_lower, ()):
            assert sees == self._allows(url("change", row.pk)), page
            assert sees == self._allows(url("history", row.pk)), page
        found = {"see"} if sees else set()
        found |= {"add"} if self._allows(url("add"), {}) else set()
        return found | {act for act in ("change", "delete") if self._allows(url(act, pk), {})}

    def _actions(self, page):
        """Actions on chosen rows; one that is not there is chosen."""
        return {
            name
            for name in page.actions
            if self._allows(
                urls(page)("changelist"),
                {"action": name, "_selected_action": [str(absent(page))], "index": "0"},
            )
        }

    def _pages(self, page):
        """Pages that a table has beyond Django's: by the last word of their names, or the tool."""
        found = set()
        head = f"{page.opts.app_label}_{page.opts.model_name}_"
        for pattern in page.get_urls():
            act = pattern.name or ""
            for start in (head, f"{page.opts.app_label}_", "auth_user_"):
                act = act.removeprefix(start)
            if not pattern.name or act in PLAIN:
                continue
            for row in self._rows.get(page.opts.label_lower, [None]):
                values = {"pk": row.pk if row else absent(page), **BLANKS}
                tools = [tool.slug for tool in page.tools(self._request("/"), row)] if (
                    "slug" in pattern.pattern.converters
                ) else [""]  # fmt: skip
                for slug in tools:
                    named = {name: values.get(name, slug) for name in pattern.pattern.converters}
                    url = reverse(f"admin:{pattern.name}", kwargs=named)
                    # A tool's form alone: some need no more than a click to be done.
                    if self._allows(url, None if slug else {}):
                        found.add(slug or act)
        return found

    def _request(self, url, data=None):
        send = self._factory.get if data is None else self._factory.post
        request = send(url, data)
        request.user, request.session = self._user, SessionStore()
        request.session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "mfa", "at": time.time()}]
        request.session["account_authentication_methods_user"] = str(self._user.pk)
        request._messages = FallbackStorage(request)
        request._dont_enforce_csrf_checks = True
        return request

    def _allows(self, url, data=None):
        """Tell whether a page does not refuse: sent data, it did it, or asks for better data."""
        found, request = resolve(url.partition("?")[0]), self._request(url, data)
        try:
            response = found.func(request, *found.args, **found.kwargs)
        except PermissionDenied:
            return False
        except Http404:
            return True
        for close in response._resource_closers:  # close() itself ends the database's connection
            close()
        assert response.status_code in (200, 302), (url, response.status_code)
        if data is None or "action" not in data:
            return True
        # Django shows the list again where an action is not this user's.
        is_done = response.status_code == 302
        return is_done and NOTHING_DONE not in map(str, get_messages(request))


def urls(page):
    """Return `url(act, *arguments)` of a table."""
    base = f"admin:{page.opts.app_label}_{page.opts.model_name}"
    return lambda act, *arguments: reverse(f"{base}_{act}", args=arguments)


def absent(page):
    """A key that no row has."""
    return uuid.UUID(int=0) if isinstance(page.opts.pk, UUIDField) else 0
