"""Read an answer of Anthropic Messages, whole or streamed."""

from typing import Any

from tests.conformance.answers.envelopes import arguments, failed
from tests.conformance.normal import Answer, Call, Candidate, Citation

FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
    "pause_turn": "pause",
    "compaction": "pause",
}


def read(documents: list[Any]) -> Answer:
    faults = [fault for document in documents if (fault := failed(document)) is not None]
    return faults[0] if faults else _message(fold(documents))


def fold(documents: list[Any]) -> dict[str, Any]:
    """Return the message that a stream adds up to, as the SDK's accumulator does."""
    message: dict[str, Any] = {}
    for document in documents:
        kind = document.get("type")
        if kind in ("message_start", "message"):
            message = dict(document.get("message") or document)
            message["content"] = [dict(block) for block in message.get("content") or []]
        elif kind == "content_block_start":
            message["content"].append({**document["content_block"], "_pieces": ""})
        elif kind == "content_block_delta":
            _add(message["content"][document["index"]], document["delta"])
        elif kind == "message_delta":
            message["stop_reason"] = document["delta"].get("stop_reason")
            message["usage"] = {**(message.get("usage") or {}), **(document.get("usage") or {})}
    for block in message.get("content") or []:
        if pieces := block.pop("_pieces", ""):
            block["input"] = arguments(pieces)
    return message


def _add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    kind = delta["type"]
    if kind == "input_json_delta":
        block["_pieces"] += delta["partial_json"]
    elif kind == "citations_delta":
        block["citations"] = [*(block.get("citations") or []), delta["citation"]]
    else:
        field = {"text_delta": "text", "thinking_delta": "thinking"}.get(kind, "signature")
        block[field] = (block.get(field) or "") + delta[field]


def _message(message: dict[str, Any]) -> Answer:
    blocks = message.get("content") or []
    usage = message.get("usage") or {}
    texts = [block for block in blocks if block.get("type") == "text"]
    thinking = [block for block in blocks if block.get("type") == "thinking"]
    calls = tuple(
        Call(id=block["id"], name=block["name"], arguments=block.get("input") or {})
        for block in blocks
        if block.get("type") == "tool_use"
    )
    finish = FINISH.get(message.get("stop_reason") or "", "other")
    candidate = Candidate(
        text="".join(block["text"] for block in texts),
        calls=calls,
        finish=finish,
        reasoning="".join(block.get("thinking") or "" for block in thinking),
        seals=tuple(_seals(blocks)),
        citations=tuple(c for block in texts for c in _citations(block)),
    )
    return Answer(
        candidates=(candidate,),
        usage=usage,
        id=message.get("id") or "",
        model=message.get("model") or "",
        searches=(usage.get("server_tool_use") or {}).get("web_search_requests") or 0,
    )


def _seals(blocks: list[dict[str, Any]]) -> list[str]:
    found = [block.get("signature") or block.get("data") for block in blocks
             if block.get("type") in ("thinking", "redacted_thinking")]  # fmt: skip
    return [seal for seal in found if seal]


def _citations(block: dict[str, Any]) -> list[Citation]:
    """Return what has an address; the span is the whole block that a citation hangs on."""
    return [
        Citation(url=url, title=told.get("title") or "", span=block["text"])
        for told in block.get("citations") or []
        if (url := told.get("url") or told.get("source") or "").startswith("http")
    ]
