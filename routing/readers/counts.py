"""Vendors' token counts into disjoint classes (pure)."""

from collections.abc import Mapping
from typing import Any

import orjson

from billing.usage import UnitClass, Usage
from routing.readers.base import Flag

# No model reads or writes so much in one request: a larger number is a vendor's mistake.
COUNT_MAX = 1_000_000_000
RAW_DEPTH_MAX = 4

STANDARD = "standard"
_TIERS = {
    "": STANDARD,
    "default": STANDARD,
    "auto": STANDARD,
    "standard": STANDARD,
    "standard_only": STANDARD,
    "on_demand": STANDARD,  # Groq; Vertex's trafficType
    "provisioned_throughput": STANDARD,
    "service_tier_unspecified": STANDARD,
    "traffic_type_unspecified": STANDARD,
    "performance": "priority",  # Groq
    "priority": "priority",
    "on_demand_priority": "priority",
    "flex": "flex",
    "on_demand_flex": "flex",
    "batch": "batch",
    "fast": "fast",
    "scale": "scale",
}
# The names that the charge's record may keep, with their integers: no other word gets in.
_NAMES = frozenset(
    {
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "input_tokens",
        "output_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "input_tokens_details",
        "output_tokens_details",
        "cached_tokens",
        "num_cached_tokens",
        "prompt_cache_hit_tokens",
        "prompt_cache_miss_tokens",
        "cache_write_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation",
        "ephemeral_5m_input_tokens",
        "ephemeral_1h_input_tokens",
        "text_tokens",
        "audio_tokens",
        "image_tokens",
        "video_tokens",
        "reasoning_tokens",
        "thinking_tokens",
        "accepted_prediction_tokens",
        "rejected_prediction_tokens",
        "prompt_audio_seconds",
        "audio_prompt_tokens",
        "server_tool_use",
        "server_tool_use_details",
        "web_search_requests",
        "web_fetch_requests",
        "num_search_queries",
        "num_sources_used",
        "num_server_side_tools_used",
        "cost_in_usd_ticks",
        "tool_usage",
        "web_search",
        "image_gen",
        "num_requests",
        "input_token_details",
        "seconds",
        "billed_units",
        "search_units",
        "context_details",
        "promptTokenCount",
        "candidatesTokenCount",
        "cachedContentTokenCount",
        "thoughtsTokenCount",
        "toolUsePromptTokenCount",
        "totalTokenCount",
        "promptTokensDetails",
        "promptTokenDetails",
        "candidatesTokensDetails",
        "cacheTokensDetails",
        "toolUsePromptTokensDetails",
    }
)
_MODALITIES = frozenset({"TEXT", "AUDIO", "IMAGE", "VIDEO", "DOCUMENT", "MODALITY_UNSPECIFIED"})

Quantities = dict[UnitClass, int]


class Numbers:
    """Reads a vendor's counts; what is no honest count is clamped and flagged."""

    __slots__ = ("_flags", "_source")

    def __init__(self, source: Mapping[str, Any], flags: set[Flag]) -> None:
        self._source = source
        self._flags = flags

    def told(self, *names: str) -> int | None:
        """Return the largest of these that the vendor gives; None when it gives none."""
        found = [self._source[name] for name in names if self._source.get(name) is not None]
        return max(self._clean(value) for value in found) if found else None

    def count(self, *names: str) -> int:
        """Return the largest of these; 0 when the vendor gives none."""
        return self.told(*names) or 0

    def inner(self, *names: str) -> "Numbers":
        """Return the first of these that is an object, as numbers of its own."""
        values = (self._source.get(name) for name in names)
        found = next((value for value in values if isinstance(value, dict)), {})
        return Numbers(found, self._flags)

    def by_modality(self, *names: str) -> dict[str, int]:
        """Return Gemini's list of counts by modality."""
        values = (self._source.get(name) for name in names)
        listed = next((value for value in values if isinstance(value, list)), [])
        counts: dict[str, int] = {}
        for row in listed:
            if isinstance(row, dict) and isinstance(row.get("modality"), str):
                modality = row["modality"].upper()
                counts[modality] = counts.get(modality, 0) + self._clean(row.get("tokenCount", 0))
        return counts

    def _clean(self, value: Any) -> int:
        if isinstance(value, float) and value.is_integer() and value <= COUNT_MAX:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= COUNT_MAX:
            return value
        self._flags.add(Flag.BAD_NUMBER)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return int(max(0, min(value, COUNT_MAX)))
        return 0


def share(whole: int, parts: Quantities, *, rest: UnitClass, flags: set[Flag]) -> Quantities:
    """Take the parts out of the whole, in order; the rest is a class of its own.

    The sum is the whole, whatever the vendor says of its parts: nothing is billed twice.
    """
    classes: Quantities = {}
    left = whole
    for unit_class, told in parts.items():
        counted = min(told, left)
        if counted < told:
            flags.add(Flag.OVERLAP)
        classes[unit_class] = classes.get(unit_class, 0) + counted
        left -= counted
    classes[rest] = classes.get(rest, 0) + left
    return classes


def without_overlap(read: int, write: int, whole: int, flags: set[Flag]) -> int:
    """Return the cache writes that are not told a second time as reads.

    OpenRouter tells Gemini's written tokens as read, too: 2161 + 2161 of 2168 (2026).
    """
    if read + write <= whole or not write:
        return write
    flags.add(Flag.OVERLAP)
    return write - min(read, write)


def is_outside(
    part: int, whole: int, *, rule: bool, base: int, total: int | None, flags: set[Flag]
) -> bool:
    """Tell whether a part stands beside its whole instead of inside.

    The endpoint's rule says so; a part larger than its whole, or a total that adds up only the
    other way, proves the opposite. `base` is what the vendor's total is when the part is inside.
    """
    if not part:
        return False
    found = rule
    if part > whole or total == base + part:
        found = True
    elif total == base:
        found = False
    if found is not rule:
        flags.add(Flag.OUTSIDE)
    return found


def tier(native: Any, flags: set[Flag]) -> str:
    """Return the service tier in our words.

    A tier that we do not know is priced as standard: the user never pays for a word of a vendor's
    that no rate card names.
    """
    if native is None:
        return STANDARD
    known = _TIERS.get(native.lower()) if isinstance(native, str) else None
    if known is None:
        flags.add(Flag.UNKNOWN_TIER)
    return known or STANDARD


def usage(quantities: Quantities, *, native_tier: Any, raw: Any, flags: set[Flag]) -> Usage:
    """Build the usage, without its zeros."""
    return Usage(
        quantities={unit_class: n for unit_class, n in quantities.items() if n},
        service_tier=tier(native_tier, flags),
        raw=integers(raw),
    )


def integers(raw: Any, *, is_plain: bool = False) -> str | None:
    """Write the vendor's own integers as JSON: known names only, and never a string.

    `is_plain`: the caller has seen that there is nothing else in it.
    """
    kept = raw if is_plain else _integers(raw, RAW_DEPTH_MAX)
    return orjson.dumps(kept).decode() if kept else None


def _integers(value: Any, depth: int) -> Any:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else None
    if depth and isinstance(value, dict):
        inner = {name: _integers(item, depth - 1) for name, item in value.items() if name in _NAMES}
        return {name: item for name, item in inner.items() if item not in (None, {})}
    if depth and isinstance(value, list):
        return {
            row["modality"]: row["tokenCount"]
            for row in value
            if isinstance(row, dict)
            and isinstance(row.get("modality"), str)
            and row["modality"] in _MODALITIES
            and isinstance(row.get("tokenCount"), int)
        }
    return None
