"""Who works in an account: members with their keys and what these spent."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from accounts.models import Account, ApiKey, Invitation, Membership
from accounts.timeids import DAY
from billing import spending

SPENT_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A member, the keys of theirs that work, and what all of theirs spent in 30 days, nUSD."""

    member: Membership
    keys: int
    spent_nusd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """All members; what other keys spent (of former members, of nobody); the sum of all."""

    people: Sequence[Person]
    others_nusd: int
    total_nusd: int


def of(account: Account, *, now: dt.datetime) -> Roster:
    """Read the roster of an account in three queries; days are UTC's, today's among them."""
    places = list(
        Membership.objects.filter(account=account).select_related("user").order_by("created_at")
    )
    makers, counts = _keys(account, now)
    today = now.date()
    spent: defaultdict[int | None, int] = defaultdict(int)
    found = spending.spent(
        account.pk,
        since=today - (SPENT_DAYS - 1) * DAY,
        until=today + DAY,
        parts=[spending.Part.KEY],
    )
    for one in found.sums:
        spent[makers.get(one.key_id)] += one.cost_nusd
    people = [
        Person(member=place, keys=counts[place.user_id], spent_nusd=spent.pop(place.user_id, 0))
        for place in places
    ]
    return Roster(people=people, others_nusd=sum(spent.values()), total_nusd=found.total_nusd)


def _keys(
    account: Account, now: dt.datetime
) -> tuple[dict[int, int | None], defaultdict[int | None, int]]:
    """Return who made each key, and how many of each maker's work."""
    makers: dict[int, int | None] = {}
    counts: defaultdict[int | None, int] = defaultdict(int)
    rows = ApiKey.objects.filter(account=account).values_list(
        "pk", "created_by", "purpose", "disabled_at", "paused_at", "expires_at"
    )
    for pk, maker, purpose, disabled_at, paused_at, expires_at in rows:
        makers[pk] = maker
        is_over = expires_at is not None and expires_at <= now
        if purpose == ApiKey.Purpose.API and not (disabled_at or paused_at or is_over):
            counts[maker] += 1
    return makers, counts


def keys_of(member: Membership, *, now: dt.datetime) -> Sequence[ApiKey]:
    """Return the keys that a member made in the account and that are not disabled."""
    working = Q(expires_at=None) | Q(expires_at__gt=now)
    rows = ApiKey.objects.filter(
        working,
        account_id=member.account_id,
        created_by=member.user_id,
        purpose=ApiKey.Purpose.API,
        disabled_at=None,
    )
    return list(rows.order_by("-pk"))


def open_invitations(account: Account) -> Sequence[Invitation]:
    """Return the invitations that are neither accepted nor taken back, newest first."""
    rows = Invitation.objects.filter(account=account, accepted_at=None, revoked_at=None)
    return list(rows.order_by("-pk"))
