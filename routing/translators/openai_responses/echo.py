"""The Response object around the output: it repeats the client's request (pure)."""

from typing import Any

from routing.translators.base import Answering

Body = dict[str, Any]

_TIERS = {"standard": "default", "flex": "flex", "priority": "priority", "scale": "scale"}


class Echo:
    """Writes Response objects of one answer; made once, for a stream writes three of them."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._request = _request(answering.body)

    def response(
        self,
        status: str,
        *,
        output: list[Any],
        usage: Body | None = None,
        incomplete: str = "",
        error: Body | None = None,
        tier: str = "",
    ) -> Body:
        """Write one; `tier` is the one that served, in our words."""
        answering = self._answering
        written: Body = {
            "id": answering.id if answering.is_platform else f"resp_{answering.hex}",
            "object": "response",
            "created_at": answering.created,
            "status": status,
            "background": False,
            "error": error,
            "incomplete_details": {"reason": incomplete} if incomplete else None,
            "model": answering.model,
            "output": output,
            **self._request,
            "usage": usage,
        }
        if tier:
            written["service_tier"] = _TIERS.get(tier, "default")
        if answering.is_platform:
            written["provider"] = answering.vendor
        return written


def _request(body: Any) -> Body:
    """Repeat what the client asked for, with OpenAI's defaults (recorded 2026-06)."""
    text = body.get("text") or {}
    reasoning = body.get("reasoning") or {}
    return {
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": body.get("max_tool_calls"),
        "metadata": body.get("metadata") or {},
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": {
            "effort": reasoning.get("effort"),
            "summary": reasoning.get("summary") or reasoning.get("generate_summary"),
        },
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": "auto",
        "store": False,
        "temperature": _or(body.get("temperature"), 1.0),
        "text": {
            "format": text.get("format") or {"type": "text"},
            "verbosity": text.get("verbosity") or "medium",
        },
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_logprobs": body.get("top_logprobs") or 0,
        "top_p": _or(body.get("top_p"), 1.0),
        "truncation": body.get("truncation") or "disabled",
        "user": body.get("user"),
    }


def _or(value: Any, default: float) -> Any:
    return default if value is None else value
