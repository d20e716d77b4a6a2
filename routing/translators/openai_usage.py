"""Usage and cost in the shape of OpenAI's completions, and in OpenRouter's (pure)."""

from typing import Any

import orjson

from billing.money import decimal_usd
from billing.usage import UnitClass
from routing.translators.base import Bill


def usage(bill: Bill, *, is_platform: bool) -> dict[str, Any]:
    """Write what an answer used: everything cached, heard and thought is inside the totals."""
    used = bill.usage
    prompt, completion = used.prompt_tokens, used.completion_tokens
    told: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "cost": orjson.Fragment(decimal_usd(bill.cost_nusd)),
        "prompt_tokens_details": {
            "cached_tokens": used.count(UnitClass.CACHE_READ, UnitClass.AUDIO_CACHE_READ),
            "cache_write_tokens": used.count(
                UnitClass.CACHE_WRITE, UnitClass.CACHE_WRITE_5M, UnitClass.CACHE_WRITE_1H
            ),
            "audio_tokens": used.count(UnitClass.AUDIO_INPUT),
        },
        "completion_tokens_details": {
            "reasoning_tokens": used.count(UnitClass.REASONING),
            "audio_tokens": used.count(UnitClass.AUDIO_OUTPUT),
        },
    }
    if is_platform:
        _add_platform(told, bill)
    return told


def _add_platform(told: dict[str, Any], bill: Bill) -> None:
    """Add what OpenRouter tells beside (its documentation, 2026-08)."""
    used = bill.usage
    told["is_byok"], told["total_cost"] = False, told["cost"]
    # The vendor's own cost is told only for the user's own keys: clients add it to `cost`.
    told["cost_details"] = {
        "upstream_inference_cost": None,
        "upstream_inference_prompt_cost": 0,
        "upstream_inference_completions_cost": 0,
    }
    told["prompt_tokens_details"]["video_tokens"] = used.count(UnitClass.VIDEO_INPUT)
    told["completion_tokens_details"]["image_tokens"] = used.count(UnitClass.IMAGE_OUTPUT)
    told["server_tool_use_details"] = {"web_search_requests": used.count(UnitClass.WEB_SEARCH)}
