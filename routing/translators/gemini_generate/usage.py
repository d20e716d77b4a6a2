"""usageMetadata out of disjoint classes (pure)."""

from collections.abc import Mapping
from typing import Final

from billing.usage import UnitClass, Usage
from routing.translators.gemini_generate.writing import Json

# Cached tokens stand inside the prompt, thoughts and tools' prompts outside of everything
# (180 of 180 recorded totals, 2026).
_PROMPT: Final[Mapping[str, tuple[UnitClass, ...]]] = {
    "TEXT": (
        UnitClass.INPUT,
        UnitClass.CACHE_READ,
        UnitClass.CACHE_WRITE,
        UnitClass.CACHE_WRITE_5M,
        UnitClass.CACHE_WRITE_1H,
    ),
    "AUDIO": (UnitClass.AUDIO_INPUT, UnitClass.AUDIO_CACHE_READ),
    "IMAGE": (UnitClass.IMAGE_INPUT,),
    "VIDEO": (UnitClass.VIDEO_INPUT,),
}
_CACHED: Final[Mapping[str, tuple[UnitClass, ...]]] = {
    "TEXT": (UnitClass.CACHE_READ,),
    "AUDIO": (UnitClass.AUDIO_CACHE_READ,),
}
_CANDIDATES: Final[Mapping[str, tuple[UnitClass, ...]]] = {
    "TEXT": (UnitClass.OUTPUT,),
    "AUDIO": (UnitClass.AUDIO_OUTPUT,),
    "IMAGE": (UnitClass.IMAGE_OUTPUT,),
}


def metadata(usage: Usage) -> Json:
    """Return Google's own fields and no other: its SDK refuses a type with one more."""
    prompt, cached = _details(usage, _PROMPT), _details(usage, _CACHED)
    candidates = _details(usage, _CANDIDATES)
    thoughts = usage.count(UnitClass.REASONING)
    tool_prompt = usage.count(UnitClass.TOOL_PROMPT)
    told: Json = {
        "promptTokenCount": sum(prompt.values()),
        "candidatesTokenCount": sum(candidates.values()),
        "totalTokenCount": sum(prompt.values()) + sum(candidates.values()) + thoughts + tool_prompt,
        "promptTokensDetails": _rows(prompt),
        "candidatesTokensDetails": _rows(candidates),
    }
    if cached:
        told["cachedContentTokenCount"] = sum(cached.values())
        told["cacheTokensDetails"] = _rows(cached)
    if thoughts:
        told["thoughtsTokenCount"] = thoughts
    if tool_prompt:
        told["toolUsePromptTokenCount"] = tool_prompt
        told["toolUsePromptTokensDetails"] = _rows({"TEXT": tool_prompt})
    return told


def _details(usage: Usage, classes: Mapping[str, tuple[UnitClass, ...]]) -> dict[str, int]:
    counted = {modality: usage.count(*members) for modality, members in classes.items()}
    return {modality: count for modality, count in counted.items() if count}


def _rows(counted: Mapping[str, int]) -> list[Json]:
    return [{"modality": modality, "tokenCount": count} for modality, count in counted.items()]
