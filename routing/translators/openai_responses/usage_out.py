"""What an answer used and cost, in the shape of Responses (pure)."""

from typing import Any

import orjson

from billing.money import decimal_usd
from billing.usage import UnitClass
from routing.translators.base import Bill

_WRITES = (UnitClass.CACHE_WRITE, UnitClass.CACHE_WRITE_5M, UnitClass.CACHE_WRITE_1H)
_READS = (UnitClass.CACHE_READ, UnitClass.AUDIO_CACHE_READ)


def write(bill: Bill, *, is_platform: bool) -> dict[str, Any]:
    """Write the usage object: caches stand inside the input, reasoning inside the output."""
    usage = bill.usage
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    written: dict[str, Any] = {
        "input_tokens": prompt,
        "input_tokens_details": {
            "cached_tokens": usage.count(*_READS),
            "cache_write_tokens": usage.count(*_WRITES),
        },
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": usage.count(UnitClass.REASONING)},
        "total_tokens": prompt + completion,
        # The decimal digits themselves: no float stands between.
        "cost": orjson.Fragment(decimal_usd(bill.cost_nusd)),
    }
    if is_platform:
        written["is_byok"], written["total_cost"] = False, written["cost"]
        written["cost_details"] = {
            "upstream_inference_cost": None,  # some clients add it to `cost`
            "upstream_inference_input_cost": 0,
            "upstream_inference_output_cost": 0,
        }
    return written
