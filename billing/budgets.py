"""Money limits of API keys: in total, and for each day, week and month of UTC.

A key that was rotated and the ones before it draw on the same budgets, held by the oldest.
"""

import datetime as dt
from collections.abc import Mapping

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import changes
from accounts.models import ApiKey, Change
from billing import queries, windows
from billing.models import Budget

Period = Budget.Period


class BadLimit(ValueError):
    """A limit below zero."""


def set_limits(
    *, api_key_id: int, limits: Mapping[str, int | None], now: dt.datetime | None = None
) -> None:
    """Set a key's limits by period, nUSD; None removes one. Periods that are not named stay.

    A new limit counts what the key has spent in its window, as far as it is on record; requests
    that run meanwhile are not counted. Workers hear of it within a second; what runs keeps its
    hold. Locks: the keys, their budgets. Raises: BadLimit.
    """
    if any(limit is not None and limit < 0 for limit in limits.values()):
        raise BadLimit
    moment = now or timezone.now()
    with transaction.atomic():
        holder = ApiKey.objects.get(pk=api_key_id).limits_key_id
        sharing = ApiKey.objects.filter(Q(pk=holder) | Q(limits_of=holder)).order_by("pk")
        keys = list(sharing.select_for_update())
        rows = {b.period: b for b in _locked(holder)}
        is_new = any(p not in rows for p, limit in limits.items() if limit is not None)
        spent = _spent(keys, now=moment) if is_new else queries.Spent()
        for period, limit in limits.items():
            row = rows.get(period)
            if limit is None:
                if row is not None:
                    row.delete()
            elif row is not None:
                Budget.objects.filter(pk=row.pk).update(limit_nusd=limit)
            else:
                Budget.objects.create(
                    api_key_id=holder,
                    period=period,
                    period_start=windows.start(period, moment),
                    limit_nusd=limit,
                    spent_nusd=spent.in_window(period),
                )
        _announce(keys, has_budget=Budget.objects.filter(api_key=holder).exists())


def set_limit(*, api_key_id: int, limit_nusd: int, period: str = Period.TOTAL) -> None:
    """Limit what a key may spend; a lower limit than what is spent refuses everything.

    Raises: BadLimit.
    """
    set_limits(api_key_id=api_key_id, limits={period: limit_nusd})


def remove_limit(*, api_key_id: int, period: str = Period.TOTAL) -> None:
    """Remove a limit."""
    set_limits(api_key_id=api_key_id, limits={period: None})


def _locked(holder: int) -> list[Budget]:
    return list(Budget.objects.filter(api_key=holder).order_by("pk").select_for_update())


def _spent(keys: list[ApiKey], *, now: dt.datetime) -> queries.Spent:
    ids = [key.pk for key in keys]
    by_key = queries.spent_by_key(
        keys[0].account_id, today=now.astimezone(dt.UTC).date(), key_ids=ids
    )
    return sum(by_key.values(), start=queries.Spent())


def _announce(keys: list[ApiKey], *, has_budget: bool) -> None:
    ApiKey.objects.filter(pk__in=[key.pk for key in keys]).update(has_budget=has_budget)
    for key in keys:
        changes.announce(Change.Topic.KEY, str(key.pk))
    # The key's leases hold the account's whole wallet or the old limit: begin anew.
    changes.announce(Change.Topic.WALLET, str(keys[0].account_id))
