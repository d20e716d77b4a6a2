"""Reads for the platform API, over billing's and logs' own: one row told once more."""

import datetime as dt
import uuid
from typing import Any

from django.db.models import Sum
from django.db.models.functions import Coalesce

from accounts.keys import Caller
from accounts.models import ApiKey
from accounts.timeids import bound
from billing.models import Attempt, Budget, Charge
from billing.money import decimal_usd
from billing.queries import balance
from logs.models import RequestLog

DAYS = {"usage_daily": 1, "usage_weekly": 7, "usage_monthly": 30}


def _usd(nusd: int) -> float:
    """Return dollars as OpenRouter's clients expect them: a JSON number."""
    return float(decimal_usd(nusd))


def key(caller: Caller) -> dict[str, Any]:
    """Return a key's label, limit and usage; shapes as OpenRouter's GET /key (2026-08)."""
    found = ApiKey.objects.get(pk=caller.key_id)
    budget = Budget.objects.filter(api_key=found, period=Budget.Period.TOTAL).first()
    logs = RequestLog.objects.filter(account_id=caller.account_id, api_key_id=found.pk)
    today = dt.datetime.now(dt.UTC).date()
    usage = {
        name: _usd(_spent(logs.filter(request_id__gte=bound(today - dt.timedelta(days=n - 1)))))
        for name, n in DAYS.items()
    }
    limit = budget.limit_nusd if budget else None
    left = limit - budget.spent_nusd - budget.leased_nusd if budget and limit is not None else None
    return {
        "label": f"{found.name} (…{found.last_four})",
        "limit": None if limit is None else _usd(limit),
        "limit_remaining": None if left is None else _usd(max(left, 0)),
        "limit_reset": None,
        "usage": _usd(_spent(logs)),
        **usage,
        "is_free_tier": caller.account_is_demo,
        "is_management_key": False,
        "expires_at": found.expires_at.isoformat() if found.expires_at else None,
    }


def credits(account_id: int) -> dict[str, Any]:  # noqa: A001 - the platform API's own word
    """Return an account's credit, usage and what is left; numbers in US dollars."""
    found = balance(account_id)
    return {
        "total_credits": _usd(found.credit_nusd),
        "total_usage": _usd(found.spent_nusd),
        "balance": decimal_usd(found.available_nusd),
        "in_flight": decimal_usd(found.in_flight_nusd),
    }


def generation(account_id: int, request_id: uuid.UUID) -> dict[str, Any] | None:
    """Return one request of an account, or None; the log's row and its charge."""
    row = RequestLog.objects.filter(request_id=request_id, account_id=account_id).first()
    if row is None:
        return None
    charge = Charge.objects.filter(request_id=request_id, wallet_id=account_id).first()
    attempts = Attempt.objects.filter(request_id=request_id).order_by("n")
    prompt = row.input_tokens + row.cache_read_tokens + row.cache_write_tokens
    return {
        "id": f"gen-{request_id.hex}",
        "model": row.model,
        "provider_name": row.vendor,
        "data_region": row.jurisdiction,
        "api_type": row.surface,
        "created_at": row.created_at.isoformat(),
        "streamed": row.is_stream,
        "status": row.status,
        "finish_reason": row.finish_reason,
        "error_code": row.error_code,
        "tokens_prompt": prompt,
        "tokens_completion": row.output_tokens + row.reasoning_tokens,
        "native_tokens_prompt": prompt,
        "native_tokens_completion": row.output_tokens + row.reasoning_tokens,
        "native_tokens_reasoning": row.reasoning_tokens,
        "native_tokens_cached": row.cache_read_tokens,
        "native_tokens_cache_write": row.cache_write_tokens,
        "is_estimated": row.is_estimated,
        "total_cost": _usd(row.cost_nusd),
        "cost_usd": decimal_usd(row.cost_nusd),
        "charge": None if charge is None else {"state": charge.state, "reason": charge.reason},
        "provider_responses": [
            {"endpoint_id": a.endpoint, "status": a.outcome, "is_byok": False} for a in attempts
        ],
        "latency": row.first_byte_ms,
        "generation_time": row.total_ms,
        "is_byok": False,
    }


def _spent(logs: Any) -> int:
    total: int = logs.aggregate(total=Coalesce(Sum("cost_nusd"), 0))["total"]
    return total
