"""What an account did, by day, model and endpoint: costs from charges, tokens from the log."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db.models import F, Sum

from accounts.timeids import DAY
from billing import queries
from billing.money import decimal_usd
from logs.models import RequestLog
from routing import vendor_files
from routing.models import Endpoint

DAYS = 30


def window(today: dt.date) -> list[dt.date]:
    """Return the days that are told of, earliest first: today and those before it."""
    return [today - n * DAY for n in reversed(range(DAYS))]


def rows(
    account_id: int, *, days: Sequence[dt.date], key_id: int | None = None
) -> list[dict[str, Any]]:
    """Return one row for each day and endpoint that billed something, latest day first.

    Shapes as OpenRouter's GET /activity (2026-08). Costs and numbers of requests are those of the
    charges, to the nano-dollar; a request whose row in the log was lost has no tokens here.
    """
    billed = queries.billed_by_day(account_id, days=days, key_id=key_id)
    tokens = _tokens(account_id, days, key_id)
    slugs = {one.endpoint for one in billed}
    found = Endpoint.objects.filter(slug__in=slugs).select_related("model", "channel")
    endpoints = {endpoint.slug: endpoint for endpoint in found}
    told = [
        {
            "date": one.date.isoformat(),
            **_names(one.endpoint, endpoints.get(one.endpoint)),
            "requests": one.requests,
            "usage": float(decimal_usd(one.cost_nusd)),
            "usage_usd": decimal_usd(one.cost_nusd),
            "byok_usage_inference": 0,
            **tokens.get((one.date, one.endpoint), _NO_TOKENS),
        }
        for one in billed
    ]
    return sorted(told, key=lambda row: row["date"], reverse=True)


def _names(slug: str, endpoint: Endpoint | None) -> dict[str, Any]:
    """Name an endpoint; one that is no more in the catalogue has only its slug."""
    model = endpoint.model.slug if endpoint else None
    vendor = vendor_files.get(endpoint.channel.vendor).name if endpoint else None
    return {
        "model": model,
        "model_permaslug": model,
        "endpoint_id": slug,
        "provider_name": vendor,
    }


_NO_TOKENS = {"prompt_tokens": 0, "completion_tokens": 0, "reasoning_tokens": 0}


def _tokens(
    account_id: int, days: Sequence[dt.date], key_id: int | None
) -> dict[tuple[dt.date, str], dict[str, int]]:
    logs = RequestLog.objects.filter(account_id=account_id, endpoint__isnull=False)
    if key_id is not None:
        logs = logs.filter(api_key_id=key_id)
    sums = (
        queries.in_days(logs, days)
        .values("day", "endpoint")
        .order_by()
        .annotate(
            prompt=Sum(F("input_tokens") + F("cache_read_tokens") + F("cache_write_tokens")),
            completion=Sum(F("output_tokens") + F("reasoning_tokens")),
            reasoning=Sum("reasoning_tokens"),
        )
    )
    return {
        (days[row["day"]], row["endpoint"]): {
            "prompt_tokens": row["prompt"] or 0,
            "completion_tokens": row["completion"] or 0,
            "reasoning_tokens": row["reasoning"] or 0,
        }
        for row in sums
    }
