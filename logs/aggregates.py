"""What survives a day: sums by model that at least K accounts share, the rest as one "other"."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.expressions import RawSQL

from accounts.timeids import DAY, bound
from logs import latency
from logs.models import ModelDay, RequestLog
from logs.sums import FAILED_FROM, TOKENS

K = 20
OTHER = ("other", "", "")
_KEYS = ("model", "vendor", "jurisdiction")
_SUMS = ("requests", "errors", *TOKENS)

Keys = tuple[str | None, ...]


def keep(day: dt.date) -> int:
    """Sum a day of the log, once; return how many rows that made.

    Call it before any row of the day goes. What even together has fewer than K accounts is not
    kept. Rows without an account are in no sum.
    """
    if ModelDay.objects.filter(day=day).exists():
        return 0
    rows = RequestLog.objects.filter(
        request_id__gte=bound(day), request_id__lt=bound(day + DAY), account_id__isnull=False
    ).order_by()
    found = _sums(rows)
    is_large = {keys: accounts >= K for keys, (accounts, _) in found.items()}
    others = _accounts(rows, [keys for keys, large in is_large.items() if large])
    kept: dict[Keys, tuple[int, Counter[str], Counter[str]]] = {}
    latencies = _latencies(rows)
    for keys, (accounts, sums) in found.items():
        place = keys if is_large[keys] else OTHER
        if place is OTHER and others < K:
            continue
        _, told, steps = kept.get(place, (0, Counter(), Counter()))
        steps = steps + latencies.get(keys, Counter())
        kept[place] = (others if place is OTHER else accounts, told + sums, steps)
    made = ModelDay.objects.bulk_create(
        [_row(day, keys, *values) for keys, values in kept.items()], ignore_conflicts=True
    )
    return len(made)


def _sums(rows: QuerySet[RequestLog]) -> dict[Keys, tuple[int, Counter[str]]]:
    asked = rows.values_list(*_KEYS).annotate(
        Count("account_id", distinct=True),
        requests=Count("request_id"),
        errors=Count("request_id", filter=Q(status__gte=FAILED_FROM)),
        **{f"{name}_sum": Sum(name) for name in TOKENS},
    )
    return {
        tuple(row[:3]): (row[3], Counter(dict(zip(_SUMS, row[4:], strict=True)))) for row in asked
    }


def _latencies(rows: QuerySet[RequestLog]) -> dict[Keys, Counter[str]]:
    step = RawSQL(latency.step_sql("total_ms"), [])  # noqa: S611 - of constants
    asked = rows.filter(status__lt=FAILED_FROM).annotate(step=step).values_list(*_KEYS, "step")
    found: dict[Keys, Counter[str]] = {}
    for *keys, number, count in asked.annotate(n=Count("request_id")):
        found.setdefault(tuple(keys), Counter())[str(number)] = count
    return found


def _accounts(rows: QuerySet[RequestLog], large: Sequence[Keys]) -> int:
    """Count the accounts of all groups that are too small to stand alone."""
    for keys in large:
        rows = rows.exclude(_is(keys))
    return int(rows.aggregate(n=Count("account_id", distinct=True))["n"])


def _is(keys: Keys) -> Q:
    """Match a group. NULL has a word of its own, so that the opposite matches it as well."""
    found = Q()
    for name, value in zip(_KEYS, keys, strict=True):
        known = Q(**{f"{name}__isnull": False})
        found &= ~known if value is None else known & Q(**{name: value})
    return found


def _row(
    day: dt.date, keys: Keys, accounts: int, sums: Counter[str], steps: Counter[str]
) -> ModelDay:
    names: dict[str, Any] = {name: value or "" for name, value in zip(_KEYS, keys, strict=True)}
    told = {name: sums[name] for name in _SUMS}
    return ModelDay(day=day, accounts=accounts, latencies=dict(steps), **told, **names)
