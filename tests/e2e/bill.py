"""What a recorded answer costs, by separate code: classes read simply, priced in Fractions.

Shares nothing with routing.readers or billing.pricing: where the two agree, both are right or
both wrong in the same way, which the rules below (dialects.md 2.4 and 6.4) make unlikely.
"""

import math
from fractions import Fraction

# USD for a million tokens, all different, so that a token in the wrong class shows.
PRICES = {
    "input": "3.01",
    "cache_read": "0.311",
    "cache_write": "3.77",
    "cache_write_5m": "3.83",
    "cache_write_1h": "6.07",
    "audio_input": "11.3",
    "audio_cache_read": "1.13",
    "image_input": "5.21",
    "video_input": "7.43",
    "tool_prompt": "2.03",
    "output": "15.7",
    "reasoning": "16.9",
    "audio_output": "41.9",
    "image_output": "33.1",
    "web_search": "10",
    "web_fetch": "1.7",
}
PER_THING = {"web_search", "web_fetch"}  # priced for a thousand things


def cost_nusd(quantities: dict[str, int], markup_ppm: int) -> int:
    """The price in nano-USD: each rate marked up and rounded up, the sum rounded up once."""
    total = Fraction(0)
    for name, quantity in quantities.items():
        unit = 1000 if name in PER_THING else 1_000_000
        rate = math.ceil(Fraction(PRICES[name]) * 10**9 * (10**6 + markup_ppm) / 10**6)
        total += Fraction(rate, unit) * quantity
    return math.ceil(total)


def quantities(vendor: str, protocol: str, usage: dict, searches: int) -> dict[str, int]:
    """Disjoint classes of a usage object; zero classes left out."""
    if protocol == "anthropic-messages":
        found = _anthropic(usage)
    elif protocol in ("gemini", "gemini-embed"):
        found = _gemini(usage)
    else:
        found = _openai(vendor, protocol, usage)
    found["web_search"] = found.get("web_search", 0) + searches
    return {name: count for name, count in found.items() if count > 0}


def _openai(vendor, protocol, usage):
    prompt = usage.get("prompt_tokens", usage.get("input_tokens")) or 0
    completion = usage.get("completion_tokens", usage.get("output_tokens")) or 0
    if not prompt and "total_tokens" in usage and not completion:
        prompt = usage["total_tokens"]
    inside = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    outside = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
    read = (
        inside.get("cached_tokens")
        or usage.get("prompt_cache_hit_tokens")
        or usage.get("num_cached_tokens")
        or usage.get("cached_tokens")
        or usage.get("cache_read_input_tokens")
        or 0
    )
    write = inside.get("cache_write_tokens") or usage.get("cache_creation_input_tokens") or 0
    audio = inside.get("audio_tokens") or 0
    image = inside.get("image_tokens") or 0
    if vendor == "mistral" and audio:
        prompt += audio
    if read == write and read + write > prompt:
        write = 0  # the same tokens told twice
    found, left = {}, prompt
    for name, count in (
        ("cache_read", read),
        ("cache_write", write),
        ("audio_input", audio),
        ("image_input", image),
    ):
        found[name] = min(count, left)
        left -= found[name]
    found["input"] = left
    reasoning = outside.get("reasoning_tokens") or 0
    if (vendor == "xai" and protocol == "openai-chat") or reasoning > completion:
        completion += reasoning
    audio_out = outside.get("audio_tokens") or 0
    image_out = outside.get("image_tokens") or 0
    return {
        **found,
        "reasoning": reasoning,
        "audio_output": audio_out,
        "image_output": image_out,
        "output": completion - reasoning - audio_out - image_out,
    }


def _anthropic(usage):
    written = usage.get("cache_creation_input_tokens") or 0
    split = usage.get("cache_creation") or {}
    hour = split.get("ephemeral_1h_input_tokens") or 0
    thinking = (usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0
    tools = usage.get("server_tool_use") or {}
    return {
        "input": usage.get("input_tokens") or 0,
        "cache_read": usage.get("cache_read_input_tokens") or 0,
        "cache_write_1h": hour,
        "cache_write_5m": written - hour,
        "reasoning": thinking,
        "output": (usage.get("output_tokens") or 0) - thinking,
        "web_search": tools.get("web_search_requests") or 0,
        "web_fetch": tools.get("web_fetch_requests") or 0,
    }


def _gemini(usage):
    def of(field, modality):
        rows = usage.get(field) or []
        return sum(r.get("tokenCount", 0) for r in rows if r["modality"] == modality)

    prompt = usage.get("promptTokenCount", 0)
    cached = usage.get("cachedContentTokenCount", 0)
    cached_audio = of("cacheTokensDetails", "AUDIO")
    audio = of("promptTokensDetails", "AUDIO") - cached_audio
    image = of("promptTokensDetails", "IMAGE") - of("cacheTokensDetails", "IMAGE")
    video = of("promptTokensDetails", "VIDEO") - of("cacheTokensDetails", "VIDEO")
    audio_out = of("candidatesTokensDetails", "AUDIO")
    image_out = of("candidatesTokensDetails", "IMAGE")
    return {
        "input": prompt - cached - audio - image - video,
        "cache_read": cached - cached_audio,
        "audio_cache_read": cached_audio,
        "audio_input": audio,
        "image_input": image,
        "video_input": video,
        "tool_prompt": usage.get("toolUsePromptTokenCount", 0),
        "output": usage.get("candidatesTokenCount", 0) - audio_out - image_out,
        "reasoning": usage.get("thoughtsTokenCount", 0),
        "audio_output": audio_out,
        "image_output": image_out,
    }
