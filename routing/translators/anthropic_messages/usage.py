"""What an answer used, in Anthropic's shape (pure)."""

from typing import Any, Final

import orjson

from billing.money import decimal_usd
from billing.usage import UnitClass
from routing.translators.base import Bill

# The tiers that the official SDK's type knows; others are told by /generation.
_TIERS: Final = frozenset({"standard", "priority", "batch"})


def told(bill: Bill) -> dict[str, Any]:
    """Return the `usage` object: caches stand outside input_tokens, reasoning inside output."""
    usage = bill.usage
    count = usage.count
    five_minutes = count(UnitClass.CACHE_WRITE, UnitClass.CACHE_WRITE_5M)
    hour = count(UnitClass.CACHE_WRITE_1H)
    read = count(UnitClass.CACHE_READ, UnitClass.AUDIO_CACHE_READ)
    found: dict[str, Any] = {
        "input_tokens": usage.prompt_tokens - five_minutes - hour - read,
        "cache_creation_input_tokens": five_minutes + hour,
        "cache_read_input_tokens": read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": five_minutes,
            "ephemeral_1h_input_tokens": hour,
        },
        "output_tokens": usage.completion_tokens,
    }
    if reasoning := count(UnitClass.REASONING):
        found["output_tokens_details"] = {"thinking_tokens": reasoning}
    searches, fetches = count(UnitClass.WEB_SEARCH), count(UnitClass.WEB_FETCH)
    if searches or fetches:
        found["server_tool_use"] = {
            "web_search_requests": searches,
            "web_fetch_requests": fetches,
        }
    if usage.service_tier in _TIERS:
        found["service_tier"] = usage.service_tier
    # Exact: no float ever holds it.
    found["cost"] = orjson.Fragment(decimal_usd(bill.cost_nusd).encode())
    return found


def estimated(prompt_tokens: int) -> dict[str, Any]:
    """Return the usage of a stream's beginning: our estimate, which its end replaces."""
    return {
        "input_tokens": prompt_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 1,
    }
