"""Sessions that end: after a time without use, and a while after log-in however much they are used.

`SessionStore` is the session engine (SESSION_ENGINE names this module), `Activity` a middleware.
"""

import re
import time
from collections.abc import Callable
from typing import Any

from allauth.core.exceptions import RateLimited
from allauth.core.ratelimit import respond_429
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import SESSION_KEY as USER_KEY
from django.contrib.sessions.backends import db
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import get_language

from accounts import devices
from accounts.models import User

STARTED, SEEN, IS_STAFF = "started", "seen", "is_staff"
LANGUAGE = "language"
# A session's use is written down this often at most.
SEEN_EVERY_S = 300
_KEY = re.compile(r"[a-z0-9]{32}")


class SessionStore(db.SessionStore):
    """Django's sessions in the database; those of users carry when they began and were used."""

    def _validate_session_key(self, key: str | None) -> bool:
        # A cookie is anybody's text: what cannot be a key is never put into a query.
        return key is not None and _KEY.fullmatch(key) is not None

    def load(self) -> dict[str, Any]:
        data: dict[str, Any] = super().load()
        if USER_KEY in data and _is_over(data, time.time()):
            self.delete(self.session_key)
            self._session_key = None
            return {}
        return data

    def save(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002  Django's signature
        data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        if USER_KEY in data:
            now = time.time()
            if STARTED not in data:  # a log-in
                staff = User.objects.filter(pk=data[USER_KEY], is_staff=True)
                data[STARTED], data[IS_STAFF] = now, staff.exists()
                data[LANGUAGE] = _note_language(data[USER_KEY])
            data.setdefault(SEEN, now)
        super().save(must_create)


def _is_over(data: dict[str, Any], now: float) -> bool:
    """Tell whether a user's session ended; one without its times did."""
    age_s, idle_s = settings.SESSION_COOKIE_AGE, settings.SESSION_IDLE_S
    if data.get(IS_STAFF):
        age_s, idle_s = settings.STAFF_SESSION_AGE_S, settings.STAFF_SESSION_IDLE_S
    started, seen = data.get(STARTED, 0.0), data.get(SEEN, 0.0)
    over: bool = now - started > age_s or now - seen > idle_s
    return over


def _has_user(request: HttpRequest) -> bool:
    # Without the cookie nothing is read, so that public pages do not vary by it.
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return False
    try:
        return USER_KEY in request.session
    except DatabaseError:  # away: the page says so, if it needs it
        return False


def _note_language(user_pk: str) -> str:
    """Remember in which language a user reads, and return it: that is how we write to them."""
    language = get_language() or settings.LANGUAGE_CODE
    User.objects.filter(pk=user_pk).exclude(language=language).update(language=language)
    return language


class Activity:
    """Notes where a session is used, for the list that its user sees; keeps pages out of caches.

    What stands behind it knows the family of a browser only, so that nothing stores more.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.META["HTTP_USER_AGENT"] = devices.family(request.META.get("HTTP_USER_AGENT", ""))
        is_users = _has_user(request)
        now = time.time()
        if is_users and now - request.session[SEEN] >= SEEN_EVERY_S:
            request.session[SEEN] = now
            if request.user.is_authenticated:
                UserSession.objects.create_from_request(request)
        if is_users and request.session.get(LANGUAGE) != get_language():
            request.session[LANGUAGE] = _note_language(request.session[USER_KEY])
        response = self._get_response(request)
        if is_users and not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer 429 where allauth leaves its own limit of messages to phones unanswered."""
        return respond_429(request) if isinstance(exception, RateLimited) else None
