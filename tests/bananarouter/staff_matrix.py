"""What somebody may do on the staff site, found by asking every page for everything."""

import functools
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
from django.urls import URLResolver

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
        found |= {name: {"open"} for name in own_pages() if self._allows(name)}
        return {name: acts for name, acts in found.items() if acts}

    def _plain(self, page):
        pk = absent(page)
        sees = self._allows(named(page, "changelist"))
        assert sees == self._allows(named(page, "change"), object_id=pk), page
        for row in self._rows.get(page.opts.label_lower, ()):
            for act in ("change", "history"):
                assert sees == self._allows(named(page, act), object_id=str(row.pk)), page
        found = {"see"} if sees else set()
        found |= {"add"} if self._allows(named(page, "add"), {}) else set()
        return found | {
            act for act in ("change", "delete") if self._allows(named(page, act), {}, object_id=pk)
        }

    def _actions(self, page):
        """Actions on chosen rows; one that is not there is chosen."""
        return {
            name
            for name in page.actions
            if self._allows(
                named(page, "changelist"),
                {"action": name, "_selected_action": [absent(page)], "index": "0"},
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
                tools = [tool.slug for tool in page.tools(self._request(), row)] if (
                    "slug" in pattern.pattern.converters
                ) else [""]  # fmt: skip
                for slug in tools:
                    parts = {
                        name: converter.to_python(str(values.get(name, slug)))
                        for name, converter in pattern.pattern.converters.items()
                    }
                    # A tool's form alone: some need no more than a click to be done.
                    if self._allows(pattern.name, None if slug else {}, **parts):
                        found.add(slug or act)
        return found

    def _request(self, data=None):
        send = self._factory.get if data is None else self._factory.post
        request = send("/", data)
        request.user, request.session = self._user, SessionStore()
        request.session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "mfa", "at": time.time()}]
        request.session["account_authentication_methods_user"] = str(self._user.pk)
        request._messages = FallbackStorage(request)
        request._dont_enforce_csrf_checks = True
        return request

    def _allows(self, name, data=None, **parts):
        """Tell whether a page does not refuse: sent data, it did it, or asks for better data.

        It is found by its name, and its address has the `parts`: to resolve each is slow.
        """
        request = self._request(data)
        try:
            response = views()[name](request, **parts)
        except PermissionDenied:
            return False
        except Http404:
            return True
        for close in response._resource_closers:  # close() itself ends the database's connection
            close()
        assert response.status_code in (200, 302), (name, parts, response.status_code)
        if data is None or "action" not in data:
            return True
        # Django shows the list again where an action is not this user's.
        is_done = response.status_code == 302
        return is_done and NOTHING_DONE not in map(str, get_messages(request))


@functools.cache
def views():
    """The site's pages by their names, each guarded as under its address."""

    def pairs(patterns):
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from pairs(pattern.url_patterns)
            elif pattern.name:
                yield pattern.name, pattern.callback

    return dict(pairs(admin.site.get_urls()))


def named(page, act):
    """The name of a table's page."""
    return f"{page.opts.app_label}_{page.opts.model_name}_{act}"


def absent(page):
    """A key that no row has, as an address has it."""
    return str(uuid.UUID(int=0)) if isinstance(page.opts.pk, UUIDField) else "0"
