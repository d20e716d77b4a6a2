"""Why an answer ended, in Anthropic's words (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from routing.conversation import FinishReason

_REASONS: Final = {
    FinishReason.STOP: "end_turn",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.CONTENT_FILTER: "refusal",
    FinishReason.REFUSAL: "refusal",
    FinishReason.PAUSE: "pause_turn",
    FinishReason.ERROR: "end_turn",
    FinishReason.OTHER: "end_turn",
}
_ORDINARY: Final = (None, FinishReason.STOP, FinishReason.OTHER)


def stopping(
    finish: FinishReason | None,
    *,
    native: str,
    stop_sequence: str,
    has_calls: bool,
    has_refusal: bool,
) -> dict[str, Any]:
    """Return `stop_reason` and what stands beside it."""
    reason = _REASONS[finish or FinishReason.STOP]
    if native == "model_context_window_exceeded":
        reason = native
    elif finish in _ORDINARY:
        # Many vendors end with "stop" although tools were called (recorded, 2026).
        reason = _ordinary(has_calls=has_calls, has_refusal=has_refusal, sequence=stop_sequence)
    details: Mapping[str, Any] | None = None
    if reason == "refusal":
        details = {"type": "refusal", "category": None, "explanation": None}
    return {
        "stop_reason": reason,
        "stop_sequence": stop_sequence if reason == "stop_sequence" else None,
        "stop_details": details,
    }


def _ordinary(*, has_calls: bool, has_refusal: bool, sequence: str) -> str:
    if has_calls:
        return "tool_use"
    if has_refusal:
        return "refusal"
    return "stop_sequence" if sequence else "end_turn"
