"""What a dialect's answers can tell of a vendor's: usage classes and finish reasons that merge."""

from typing import Any

from tests.conformance.normal import CHAT, GEMINI, MESSAGES, RESPONSES, Candidate
from tests.e2e import bill

# Dialects, 2.4 Encode: classes that a dialect's usage does not tell apart.
_INSIDE = {
    "tool_prompt": "input",
    "video_input": "input",
    "image_input": "input",
    "audio_cache_read": "cache_read",
    "cache_write_5m": "cache_write",
    "cache_write_1h": "cache_write",
    "image_output": "output",
}
FOLDS = {
    CHAT: _INSIDE,
    RESPONSES: {**_INSIDE, "audio_input": "input", "audio_output": "output"},
    MESSAGES: {
        "tool_prompt": "input",
        "video_input": "input",
        "image_input": "input",
        "audio_input": "input",
        "audio_cache_read": "cache_read",
        "cache_write": "cache_write_5m",
        "image_output": "output",
        "audio_output": "output",
    },
    GEMINI: {"cache_write": "input", "cache_write_5m": "input", "cache_write_1h": "input"},
}
# Dialects, 2.3: neutral reasons that a dialect cannot tell from another.
FINISHES = {
    CHAT: {"pause": "stop", "other": "stop"},
    RESPONSES: {"pause": "stop", "other": "stop"},
    MESSAGES: {"content_filter": "refusal", "other": "stop"},
    GEMINI: {"refusal": "content_filter", "pause": "stop"},
}
NOT_TOKENS = ("web_search", "web_fetch")


def finish(candidate: Candidate, dialect: str) -> str:
    if dialect == CHAT and candidate.finish == "refusal" and not candidate.refusal:
        return "content_filter"
    return FINISHES[dialect].get(candidate.finish, candidate.finish)


def classes(vendor: str, protocol: str, usage: dict[str, Any]) -> dict[str, int]:
    """Return the disjoint token classes that a usage object tells."""
    found = bill.quantities(vendor, protocol, usage, 0)
    return {name: count for name, count in found.items() if name not in NOT_TOKENS}


def folded(found: dict[str, int], dialect: str) -> dict[str, int]:
    """Return the classes as the usage of `dialect` tells them."""
    result: dict[str, int] = {}
    for name, count in found.items():
        told = FOLDS[dialect].get(name, name)
        result[told] = result.get(told, 0) + count
    return {name: count for name, count in result.items() if count}
