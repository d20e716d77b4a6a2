"""Reads for the platform API, over billing's and logs' own: one row told once more."""

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

from accounts.keys import Caller
from accounts.models import ApiKey
from billing.models import Attempt, Charge
from billing.money import decimal_usd
from billing.queries import Spent, balance, key_limits, spent_by_key
from logs.models import RequestLog
from routing import key_sheets, limits, vendor_files
from routing.exchange import CLIENT_CLOSED, generation_id
from routing.key_sheets import usd
from routing.models import Endpoint
from routing.surfaces import Surface

# OpenRouter's words for what was called (its OpenAPI document, 2026-08).
_API_TYPES: Mapping[str, str] = {
    Surface.EMBEDDINGS: "embeddings",
    Surface.GEMINI_EMBED: "embeddings",
    Surface.GEMINI_BATCH_EMBED: "embeddings",
    Surface.IMAGES: "image",
    Surface.IMAGE_EDITS: "image",
    Surface.IMAGE_VARIATIONS: "image",
    Surface.SPEECH: "tts",
    Surface.TRANSCRIPTIONS: "stt",
    Surface.TRANSLATIONS: "stt",
    Surface.RERANK: "rerank",
}
# What OpenRouter tells and nobody here keeps, or offers: the log holds no text from outside.
_UNKNOWN = dict.fromkeys(
    (
        "app_id",
        "cache_discount",
        "external_user",
        "http_referer",
        "moderation_latency",
        "native_finish_reason",
        "native_tokens_completion_images",
        "num_fetches",
        "num_input_audio_prompt",
        "num_media_completion",
        "num_media_prompt",
        "num_search_results",
        "preset_id",
        "response_cache_source_id",
        "router",
        "service_tier",
        "session_id",
        "upstream_id",
        "upstream_inference_cost",
        "user_agent",
        "web_search_engine",
        "workspace_id",
    )
)


def key(caller: Caller, *, now: dt.datetime) -> dict[str, Any]:
    """Return a key's label, limit and usage; shapes as OpenRouter's GET /key (2026-08)."""
    found = ApiKey.objects.get(pk=caller.key_id)
    spent = spent_by_key(caller.account_id, today=now.date(), key_ids=[found.pk])
    own = key_limits(caller.account_id, now=now).get(found.limits_key_id, ())
    return {
        **key_sheets.money(found, limits=own, spent=spent.get(found.pk, Spent())),
        "is_free_tier": caller.account_is_demo,
        "is_management_key": found.is_management,
        "is_provisioning_key": found.is_management,
        "rate_limit": {
            "requests": limits.requests_per_minute(caller),
            "interval": "60s",
            "note": "Requests of this key, on each worker of the gateway.",
        },
    }


def credits(account_id: int) -> dict[str, Any]:  # noqa: A001 - the platform API's own word
    """Return an account's credit, usage and what is left; numbers in US dollars."""
    found = balance(account_id)
    return {
        "total_credits": usd(found.credit_nusd),
        "total_usage": usd(found.spent_nusd),
        "balance": decimal_usd(found.available_nusd),
        "in_flight": decimal_usd(found.in_flight_nusd),
    }


def generation(account_id: int, request_id: uuid.UUID) -> dict[str, Any] | None:
    """Return one request of an account, or None; the log's row and its charge."""
    row = RequestLog.objects.filter(request_id=request_id, account_id=account_id).first()
    if row is None:
        return None
    charge = Charge.objects.filter(request_id=request_id, wallet_id=account_id).first()
    return {
        **_UNKNOWN,
        **_money(row, charge),
        **_tokens(row),
        "id": generation_id(request_id),
        "request_id": generation_id(request_id),
        "model": row.model,
        "provider_name": vendor_files.get(row.vendor).name if row.vendor else None,
        "vendor": row.vendor,
        "jurisdiction": row.jurisdiction,
        "data_region": "global",
        "api_type": _API_TYPES.get(row.surface, "completions"),
        "surface": row.surface,
        "origin": "",
        "created_at": row.created_at.isoformat(),
        "streamed": row.is_stream,
        "cancelled": _is_cancelled(row, charge),
        "status": row.status,
        "finish_reason": row.finish_reason,
        "error_code": row.error_code,
        "tag": row.tag,
        "end_user": row.end_user,
        "provider_responses": _dials(request_id, charge),
        "latency": row.first_byte_ms,
        "generation_time": row.total_ms,
        "is_byok": False,
    }


def _money(row: RequestLog, charge: Charge | None) -> dict[str, Any]:
    settled = charge is not None and charge.cost_nusd is not None
    cost_nusd = charge.cost_nusd if charge is not None and settled else row.cost_nusd
    return {
        "total_cost": usd(cost_nusd or 0),
        "usage": usd(cost_nusd or 0),
        "cost_usd": decimal_usd(cost_nusd or 0),
        "charge": None if charge is None else {"state": charge.state, "reason": charge.reason},
    }


def _tokens(row: RequestLog) -> dict[str, Any]:
    prompt = row.input_tokens + row.cache_read_tokens + row.cache_write_tokens
    completion = row.output_tokens + row.reasoning_tokens
    return {
        "tokens_prompt": prompt,
        "tokens_completion": completion,
        "native_tokens_prompt": prompt,
        "native_tokens_completion": completion,
        "native_tokens_reasoning": row.reasoning_tokens,
        "native_tokens_cached": row.cache_read_tokens,
        "native_tokens_cache_write": row.cache_write_tokens,
        "is_estimated": row.is_estimated,
    }


def _is_cancelled(row: RequestLog, charge: Charge | None) -> bool:
    gone = {Charge.Reason.CLIENT_GONE, Charge.Reason.DRAINED}
    return row.status == CLIENT_CLOSED or (charge is not None and charge.reason in gone)


def _dials(request_id: uuid.UUID, charge: Charge | None) -> list[dict[str, Any]]:
    """Tell which vendors were asked, and what came of it; their own status is not kept."""
    attempts = Attempt.objects.filter(request_id=request_id).order_by("n")
    dials = list(attempts.values_list("endpoint", "outcome"))
    if not dials and charge is not None and charge.endpoint:
        # A single dial has no row of its own: its charge tells it all.
        is_billed = charge.state in {Charge.State.SETTLED, Charge.State.ESTIMATED}
        dials = [(charge.endpoint, str(Attempt.Outcome.DELIVERED) if is_billed else "")]
    found = Endpoint.objects.filter(slug__in={slug for slug, _ in dials})
    endpoints = {endpoint.slug: endpoint for endpoint in found.select_related("model", "channel")}
    return [_dial(slug, outcome, endpoints.get(slug)) for slug, outcome in dials]


def _dial(slug: str, outcome: str, endpoint: Endpoint | None) -> dict[str, Any]:
    return {
        "endpoint_id": slug,
        "model_permaslug": endpoint.model.slug if endpoint else None,
        "provider_name": vendor_files.get(endpoint.channel.vendor).name if endpoint else None,
        "outcome": outcome or None,
        "status": None,
        "is_byok": False,
    }
