"""The usage of Chat Completions and Responses, and of the many who speak them (pure)."""

from collections.abc import Mapping
from typing import Any

from billing.usage import UnitClass, Usage
from routing.dialects.base import Quirks
from routing.readers import counts
from routing.readers.base import Flag


def usage_of(
    raw: Mapping[str, Any],
    *,
    quirks: Quirks,
    native_tier: Any,
    searches: int,
    flags: set[Flag],
) -> Usage:
    """Turn the numbers of either API into classes; `searches` were counted from what came out."""
    told = counts.Numbers(raw, flags)
    quantities = {**_input(told, quirks, flags), **_output(told, quirks, flags)}
    tools = told.inner("server_tool_use_details", "server_tool_use")
    web_searches = tools.told("web_search_requests")
    if web_searches is None:
        web_searches = told.told("num_search_queries")  # Perplexity
    quantities[UnitClass.WEB_SEARCH] = searches if web_searches is None else web_searches
    quantities[UnitClass.WEB_FETCH] = tools.count("web_fetch_requests")
    return counts.usage(quantities, native_tier=native_tier, raw=raw, flags=flags)


def _input(told: counts.Numbers, quirks: Quirks, flags: set[Flag]) -> counts.Quantities:
    details = told.inner("prompt_tokens_details", "input_tokens_details")
    prompt = told.count("prompt_tokens", "input_tokens")
    read = max(
        details.count("cached_tokens"),
        told.count(
            "prompt_cache_hit_tokens",  # DeepSeek
            "num_cached_tokens",  # Mistral
            "cached_tokens",  # Hugging Face, Together, Moonshot
            "cache_read_input_tokens",  # Databricks
        ),
    )
    written = max(details.count("cache_write_tokens"), told.count("cache_creation_input_tokens"))
    audio = details.count("audio_tokens")
    parts = {
        UnitClass.CACHE_READ: read,
        UnitClass.CACHE_WRITE: counts.without_overlap(read, written, prompt, flags),
        UnitClass.AUDIO_INPUT: audio,
        UnitClass.IMAGE_INPUT: details.count("image_tokens"),
        UnitClass.VIDEO_INPUT: details.count("video_tokens"),
    }
    base = prompt + told.count("completion_tokens", "output_tokens")
    if counts.is_outside(
        audio,
        prompt,
        rule=quirks.audio_outside,
        base=base,
        total=told.told("total_tokens"),
        flags=flags,
    ):
        prompt += audio
    return counts.share(prompt, parts, rest=UnitClass.INPUT, flags=flags)


def _output(told: counts.Numbers, quirks: Quirks, flags: set[Flag]) -> counts.Quantities:
    details = told.inner("completion_tokens_details", "output_tokens_details")
    completion = told.count("completion_tokens", "output_tokens")
    reasoning = details.count("reasoning_tokens")
    base = told.count("prompt_tokens", "input_tokens") + completion
    if counts.is_outside(
        reasoning,
        completion,
        rule=quirks.reasoning_outside,
        base=base,
        total=told.told("total_tokens"),
        flags=flags,
    ):
        completion += reasoning
    parts = {
        UnitClass.REASONING: reasoning,
        UnitClass.AUDIO_OUTPUT: details.count("audio_tokens"),
        UnitClass.IMAGE_OUTPUT: details.count("image_tokens"),
    }
    return counts.share(completion, parts, rest=UnitClass.OUTPUT, flags=flags)
