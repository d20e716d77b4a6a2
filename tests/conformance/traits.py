"""What an operator states of a recorded model: the ways that its recorded request shows.

The suite's model names are made up, so no vendor file knows them; a quirk that the recording
does not show stays the vendor's.
"""

from typing import Any

from tests.conformance.normal import CHAT, GEMINI, MESSAGES, RESPONSES
from tests.conformance.scope import Case


def quirks(case: Case) -> dict[str, Any]:
    """Return the quirks of a case's model, for the file of channels."""
    readers = {CHAT: _chat, RESPONSES: _responses, MESSAGES: _messages, GEMINI: _gemini}
    found = readers[case.protocol](case)
    if case.status == 200 and {"temperature", "top_p"} & set(case.asked.sampling):
        found["takes_sampling"] = True
    return {name: value for name, value in found.items() if value != ""}


def _chat(case: Case) -> dict[str, Any]:
    body = case.raw["request"]["body"]
    messages = body["messages"]
    roles = [message["role"] for message in messages]
    back = [name for name in ("reasoning_content", "reasoning")
            if any(message.get(name) for message in messages)]  # fmt: skip
    sends_details = any(message.get("reasoning_details") for message in messages)
    sends_details = sends_details or '"reasoning_details"' in case.raw["response"]["body"]
    limit = [name for name in ("max_completion_tokens", "max_tokens") if name in body]
    found: dict[str, Any] = {
        "speaks_responses": False,  # the emulated one answers in Chat's words only
        "reasoning": _wish(body),
        "output_limit_field": limit[0] if limit else "",
        "system_role": "developer" if "developer" in roles else "",
        "reasoning_back_field": back[0] if back else "",
    }
    return {**found, "takes_reasoning_details": True} if sends_details else found


def _wish(body: dict[str, Any]) -> str:
    named = {"reasoning_effort": "effort", "reasoning": "openrouter", "thinking": "thinking",
             "enable_thinking": "enable_thinking"}  # fmt: skip
    return next((kind for field, kind in named.items() if body.get(field) is not None), "")


def _responses(case: Case) -> dict[str, Any]:
    body = case.raw["request"]["body"]
    return {"reasoning": "effort" if body.get("reasoning") else ""}


def _messages(case: Case) -> dict[str, Any]:
    body = case.raw["request"]["body"]
    kind = (body.get("thinking") or {}).get("type", "")
    return {"reasoning": {"enabled": "budget", "adaptive": "adaptive"}.get(kind, "")}


def _gemini(case: Case) -> dict[str, Any]:
    body = case.raw["request"]["body"]
    told = (body.get("generationConfig") or {}).get("thinkingConfig") or {}
    if not told:
        return {"reasoning": ""}
    return {"reasoning": "level" if {"thinkingLevel", "thinking_level"} & set(told) else "budget"}
