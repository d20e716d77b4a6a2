"""The first request of an account, and the page's wait for it."""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import reverse

from accounts import roles
from accounts.models import ApiKey, Membership
from bananarouter.pages import words
from logs.models import RequestLog
from routing.surfaces import Surface

# Looked into for one that was answered: a bound on the work, however many failed.
ROWS_MAX = 50
FAILED_FROM = 400
# Who lists models or asks for the balance has not made a call yet.
QUIET = (Surface.MODELS.value, Surface.PLATFORM.value)
PACE_S, SLOW_PACE_S = 1, 5
PATIENCE_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What came: the latest request that was answered, else the latest one."""

    row: RequestLog

    @property
    def is_ok(self) -> bool:
        """Whether it was answered."""
        return self.row.status < FAILED_FROM

    @property
    def why(self) -> words.Words:
        """What went wrong and what to do; empty for what is not known."""
        return words.failure(self.row.error_code)


def arrived(membership: Membership) -> Arrival | None:
    """Return what came of an account's calls, as far as the member may see; one or two queries."""
    rows = list(_visible(membership).order_by("-request_id")[:ROWS_MAX])
    answered = (row for row in rows if row.status < FAILED_FROM)
    found = next(answered, rows[0] if rows else None)
    return Arrival(row=found) if found else None


def _visible(membership: Membership) -> QuerySet[RequestLog]:
    rows = RequestLog.objects.filter(account_id=membership.account_id).exclude(surface__in=QUIET)
    if roles.may_see_all_requests(membership.role):
        return rows
    made = ApiKey.objects.filter(account_id=membership.account_id, created_by=membership.user_id)
    return rows.filter(api_key_id__in=list(made.values_list("pk", flat=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A page that asks whether something came: since when, how often, and what it shows."""

    since: int  # Unix time
    pace_s: int
    seen: str = ""  # the request that is shown

    @classmethod
    def begin(cls, *, now: dt.datetime) -> "Wait":
        """Begin to wait."""
        return cls(since=int(now.timestamp()), pace_s=PACE_S)

    @classmethod
    def read(cls, query: Mapping[str, Any], *, now: dt.datetime) -> "Wait":
        """Read what a page says of its wait; what makes no sense begins anew."""
        try:
            since, pace_s, seen = int(query["since"]), int(query["pace"]), query.get("seen", "")
            if seen:
                uuid.UUID(seen)
        except (KeyError, ValueError):
            return cls.begin(now=now)
        if not 0 <= since <= now.timestamp() or pace_s not in {PACE_S, SLOW_PACE_S}:
            return cls.begin(now=now)
        return cls(since=since, pace_s=pace_s, seen=seen)

    def next(self, arrival: Arrival | None, *, now: dt.datetime) -> "Wait":
        """Return how the page goes on: more slowly after a while, anew when something came."""
        seen = str(arrival.row.request_id) if arrival else ""
        if seen != self.seen:
            return Wait(since=int(now.timestamp()), pace_s=PACE_S, seen=seen)
        is_long = now.timestamp() - self.since >= PATIENCE_S
        return Wait(since=self.since, pace_s=SLOW_PACE_S if is_long else PACE_S, seen=seen)

    @property
    def url(self) -> str:
        """The address that tells whether something came."""
        query = {"since": self.since, "pace": self.pace_s, "seen": self.seen}
        return f"{reverse('welcome_first')}?{urlencode(query)}"
