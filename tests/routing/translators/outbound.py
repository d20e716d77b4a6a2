"""What must hold of every request that leaves for a vendor, by wire format."""

import base64
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from routing.dialects.base import Outbound
from routing.surfaces import Surface
from routing.translators.base import Target
from tests.routing.translators import seed_requests
from tests.routing.translators.grammars import strict

_LEGAL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_LEGAL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_GEMINI_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
_CAPS = {
    Surface.CHAT: ("max_tokens", "max_completion_tokens"),
    Surface.RESPONSES: ("max_output_tokens",),
    Surface.MESSAGES: ("max_tokens",),
}
# Our own, as text and as Gemini's base64; a client's word that begins alike is none.
_ENVELOPES = {
    *seed_requests.ENVELOPES,
    *(base64.b64encode(envelope.encode()).decode() for envelope in seed_requests.ENVELOPES),
}


def check(outbound: Outbound, *, wire: Surface, target: Target) -> dict[str, Any]:
    """Check a request and return its body."""
    body = strict(outbound.body)
    assert isinstance(body, dict)
    assert all(isinstance(value, str) for value in outbound.headers.values())
    assert _ENVELOPES.isdisjoint(_strings(body)), "an envelope of ours reaches a vendor"
    _check_limit(body, wire, target)
    _CHECKS[wire](body)
    return body


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _check_limit(body: dict[str, Any], wire: Surface, target: Target) -> None:
    if wire is Surface.GENERATE:
        limits = [body.get("generationConfig", {}).get("maxOutputTokens")]
    else:
        limits = [body.get(name) for name in _CAPS[wire]]
    given = [limit for limit in limits if limit is not None]
    assert all(type(limit) is int and limit >= 0 for limit in given)
    if target.output_limit is not None:
        assert given, "the output is not capped"
        assert max(given) <= target.output_limit


def _chat(body: dict[str, Any]) -> None:
    assert body["messages"]
    for message in body["messages"]:
        role = message["role"]
        assert role in ("system", "developer", "user", "assistant", "tool")
        if role == "tool":
            assert isinstance(message["tool_call_id"], str)
            continue
        if "tool_calls" in message:
            assert role == "assistant"
            assert message["tool_calls"]
            for call in message["tool_calls"]:
                assert isinstance(call[call["type"]]["name"], str)
                if call["type"] == "function":
                    assert isinstance(call["function"]["arguments"], str)
    for tool in body.get("tools") or ():
        assert _LEGAL_NAME.fullmatch(tool[tool["type"]]["name"])


def _responses(body: dict[str, Any]) -> None:
    given = body["input"]
    assert given or body["instructions"]
    called: list[str] = []
    for item in given:
        kind = item.get("type", "message")
        if kind in ("function_call", "custom_tool_call"):
            assert isinstance(item.get("arguments", item.get("input")), str)
            called.append(item["call_id"])
        elif kind in ("function_call_output", "custom_tool_call_output"):
            assert item["call_id"] in called, "a result without its call"
            called.remove(item["call_id"])
        elif kind == "message":
            assert item["role"] in ("user", "assistant", "system", "developer")
            assert item["content"]
    assert not called, "a call without its result"
    for tool in body.get("tools") or ():
        assert tool["type"] in ("function", "custom", "web_search")
        assert tool["type"] == "web_search" or _LEGAL_NAME.fullmatch(tool["name"])


def _messages(body: dict[str, Any]) -> None:
    messages = body["messages"]
    assert type(body["max_tokens"]) is int
    assert body["max_tokens"] >= 0
    assert messages
    assert messages[0]["role"] == "user"
    for before, after in itertools.pairwise(messages):
        assert before["role"] != after["role"], "two turns of one role in a row"
    blocks = [_blocks(message["content"]) for message in messages]
    for number, (message, content) in enumerate(zip(messages, blocks, strict=True)):
        assert content
        after = blocks[number + 1] if number + 1 < len(blocks) else []
        _check_turn(message["role"], content, after, is_last=number + 1 == len(blocks))
    _check_thinking(body)
    assert str(body).count("'cache_control': {") <= 4
    for tool in body.get("tools") or ():
        if tool.get("type", "custom") == "custom":
            assert _LEGAL_NAME.fullmatch(tool["name"]) or len(tool["name"]) <= 128
            assert tool["input_schema"]["type"] == "object"
    if body.get("tool_choice"):
        assert body.get("tools")


def _blocks(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _check_turn(
    role: str, content: list[dict[str, Any]], after: list[dict[str, Any]], *, is_last: bool
) -> None:
    assert role in ("user", "assistant", "system")
    assert not any(block["type"] == "text" and not block["text"] for block in content)
    results = [block["type"] == "tool_result" for block in content]
    assert results == sorted(results, reverse=True), "results come first"
    called = [block["id"] for block in content if block["type"] == "tool_use"]
    for block in content:
        if block["type"] == "tool_use":
            assert role == "assistant"
            assert _LEGAL_ID.fullmatch(block["id"])
            assert isinstance(block["input"], dict)
        if block["type"] in ("thinking", "redacted_thinking"):
            assert role == "assistant"
    answered = [block["tool_use_id"] for block in after if block["type"] == "tool_result"]
    assert sorted(called) == sorted(answered), "calls and results do not match"
    assert len(set(called)) == len(called)
    assert not (is_last and called)


def _check_thinking(body: dict[str, Any]) -> None:
    thinking = body.get("thinking") or {}
    if thinking.get("type") != "enabled":
        return
    assert 1024 <= thinking["budget_tokens"] < body["max_tokens"]
    assert body.get("temperature", 1) == 1
    assert "top_k" not in body
    assert (body.get("tool_choice") or {}).get("type", "auto") in ("auto", "none")


def _gemini(body: dict[str, Any]) -> None:
    assert body["contents"]
    for content in body["contents"]:
        assert content["role"] in ("user", "model")
        assert content["parts"]
        for part in content["parts"]:
            if "functionCall" in part:
                assert content["role"] == "model"
                assert isinstance(part["functionCall"]["args"], dict)
                assert _GEMINI_NAME.fullmatch(part["functionCall"]["name"])
            if "functionResponse" in part:
                assert content["role"] == "user"
                assert isinstance(part["functionResponse"]["response"], dict)
                assert _GEMINI_NAME.fullmatch(part["functionResponse"]["name"])
    _check_pairs(body["contents"])
    for part in (body.get("systemInstruction") or {"parts": []})["parts"]:
        assert part["text"]
    for tool in body.get("tools") or ():
        for declared in tool.get("functionDeclarations") or ():
            assert _GEMINI_NAME.fullmatch(declared["name"])


def _check_pairs(contents: list[dict[str, Any]]) -> None:
    """Each turn with calls, but for the last, is followed by its results."""
    wanted: list[str] = []
    for content in contents:
        found = [p["functionResponse"]["name"] for p in content["parts"] if "functionResponse" in p]
        assert sorted(found) == sorted(wanted), "calls and results do not match"
        wanted = [p["functionCall"]["name"] for p in content["parts"] if "functionCall" in p]


_CHECKS: Mapping[Surface, Callable[[dict[str, Any]], None]] = {
    Surface.CHAT: _chat,
    Surface.RESPONSES: _responses,
    Surface.MESSAGES: _messages,
    Surface.GENERATE: _gemini,
}
