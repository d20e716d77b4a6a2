"""What pages tell of keys: which ones somebody may see, their state, limits, spending and use."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from accounts import roles
from accounts.models import ApiKey
from accounts.timeids import DAY
from bananarouter.pages.shell import Shell
from billing import queries, spending
from billing.queries import KeyLimit
from logs import queries as logs

# The latest use of a key is looked for among so many latest requests of its account.
RECENT_ROWS = 1_000
ACTIVE, DISABLED, EXPIRED, REVOKED = "active", "disabled", "expired", "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What requests of a key cost, nUSD; days are UTC's and today is one of them."""

    today_nusd: int = 0
    days7_nusd: int = 0
    days30_nusd: int = 0
    month_nusd: int = 0  # since the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One key as it is shown."""

    key: ApiKey
    state: str
    limits: Sequence[KeyLimit]
    spent: Spent
    used_at: dt.datetime | None
    may_change: bool


def readable(shell: Shell) -> QuerySet[ApiKey]:
    """Return the keys of all accounts that a user may look at."""
    return _reached(shell, lambda role: roles.may_manage_keys(role) or roles.may_see_money(role))


def changeable(shell: Shell) -> QuerySet[ApiKey]:
    """Return the keys of all accounts that a user may change."""
    return _reached(shell, roles.may_manage_keys)


def _reached(shell: Shell, reaches_all: Callable[[str], bool]) -> QuerySet[ApiKey]:
    whole = [m.account_id for m in shell.memberships if reaches_all(m.role)]
    own = [m.account_id for m in shell.memberships if roles.may_make_keys(m.role)]
    return ApiKey.objects.filter(
        Q(account__in=whole) | Q(account__in=own, created_by=shell.user), deleted_at=None
    ).exclude(purpose=ApiKey.Purpose.PLAYGROUND)


def ordered(keys: QuerySet[ApiKey], *, now: dt.datetime) -> QuerySet[ApiKey]:
    """Put those that work first, then the newest."""
    rank = Case(
        When(disabled_at__isnull=False, then=Value(2)),
        When(Q(paused_at__isnull=False) | Q(expires_at__lte=now), then=Value(1)),
        default=Value(0),
        output_field=IntegerField(),
    )
    return keys.order_by(rank, "-pk").select_related("created_by")


def rows(keys: Sequence[ApiKey], *, shell: Shell, now: dt.datetime) -> list[Row]:
    """Return what is shown of keys of one account, in their order; four queries."""
    if not keys:
        return []
    account_id = keys[0].account_id
    may = {m.account_id: m.role for m in shell.memberships}.get(account_id, "")
    limits = queries.key_limits(account_id, now=now)
    costs = spent(account_id, key_ids=[key.pk for key in keys], today=now.date())
    used = logs.used_at(account_id, rows_max=RECENT_ROWS)
    return [
        Row(
            key=key,
            state=state(key, now=now),
            limits=limits.get(key.limits_key_id, ()),
            spent=costs.get(key.pk, Spent()),
            used_at=used.get(key.pk),
            may_change=roles.may_manage_keys(may)
            or (roles.may_make_keys(may) and key.created_by_id == shell.user.pk),
        )
        for key in keys
    ]


def state(key: ApiKey, *, now: dt.datetime) -> str:
    """Tell whether a key works, and why not."""
    if key.disabled_at is not None:
        return REVOKED
    if key.paused_at is not None:
        return DISABLED
    if key.expires_at is not None and key.expires_at <= now:
        return EXPIRED
    return ACTIVE


def spent(account_id: int, *, key_ids: Sequence[int], today: dt.date) -> Mapping[int, Spent]:
    """Return what keys spent lately, to the nano-dollar; one query."""
    month, since = today.replace(day=1), today - 29 * DAY
    found = spending.spent(
        account_id,
        since=min(since, month),
        until=today + DAY,
        parts=[spending.Part.KEY],
        key_ids=key_ids,
    )
    sums: dict[int, list[spending.Sum]] = {}
    for each in found.sums:
        sums.setdefault(each.key_id, []).append(each)

    def total(of_key: Sequence[spending.Sum], first: dt.date) -> int:
        return sum(one.cost_nusd for one in of_key if one.at.date() >= first)

    return {
        key_id: Spent(
            today_nusd=total(of_key, today),
            days7_nusd=total(of_key, today - 6 * DAY),
            days30_nusd=total(of_key, since),
            month_nusd=total(of_key, month),
        )
        for key_id, of_key in sums.items()
    }
