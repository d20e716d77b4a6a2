"""The usage of Chat Completions and Responses, and of the many who speak them (pure)."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

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
    if not searches and not flags and (plain := _plain(raw, quirks)) is not None:
        return Usage(
            quantities=plain,
            service_tier=counts.tier(native_tier, flags),
            raw=counts.integers(raw, is_plain=True),
        )
    told = counts.Numbers(raw, flags)
    quantities = {**_input(told, quirks, flags), **_output(told, quirks, flags)}
    tools = told.inner("server_tool_use_details", "server_tool_use")
    web_searches = tools.told("web_search_requests")
    if web_searches is None:
        web_searches = told.told("num_search_queries")  # Perplexity
    quantities[UnitClass.WEB_SEARCH] = searches if web_searches is None else web_searches
    quantities[UnitClass.WEB_FETCH] = tools.count("web_fetch_requests")
    return counts.usage(quantities, native_tier=native_tier, raw=raw, flags=flags)


Count = Annotated[int, msgspec.Meta(ge=0, le=counts.COUNT_MAX)]
Zero = Literal[0] | None


class _Inside(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parts of the prompt: only cached tokens may be there."""

    cached_tokens: Count = 0
    audio_tokens: Zero = 0
    text_tokens: Count | None = 0
    image_tokens: Zero = 0
    cache_write_tokens: Zero = 0


class _Outside(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parts of the completion: only hidden reasoning may be there."""

    reasoning_tokens: Count = 0
    audio_tokens: Zero = 0
    text_tokens: Count | None = 0
    image_tokens: Zero = 0
    accepted_prediction_tokens: Zero = 0
    rejected_prediction_tokens: Zero = 0


class _Plain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What most answers tell, under the names of either API."""

    total_tokens: Count
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    prompt_tokens_details: _Inside = _Inside()
    completion_tokens_details: _Outside = _Outside()
    input_tokens_details: _Inside = _Inside()
    output_tokens_details: _Outside = _Outside()


def _plain(raw: Mapping[str, Any], quirks: Quirks) -> counts.Quantities | None:
    """Read the usage of most answers in a tenth of the time; None where there is more to it."""
    try:
        told = msgspec.convert(raw, _Plain)
    except msgspec.ValidationError:
        return None
    prompt = told.prompt_tokens + told.input_tokens
    completion = told.completion_tokens + told.output_tokens
    cached = told.prompt_tokens_details.cached_tokens + told.input_tokens_details.cached_tokens
    reasoning = (
        told.completion_tokens_details.reasoning_tokens
        + told.output_tokens_details.reasoning_tokens
    )
    is_whole = prompt + completion == told.total_tokens
    is_inside = cached <= prompt and reasoning <= completion
    if not is_whole or not is_inside or (reasoning and quirks.reasoning_outside):
        return None
    found = {
        UnitClass.CACHE_READ: cached,
        UnitClass.INPUT: prompt - cached,
        UnitClass.REASONING: reasoning,
        UnitClass.OUTPUT: completion - reasoning,
    }
    return {unit_class: count for unit_class, count in found.items() if count}


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
