"""Anthropic's messages: what goes in, what comes out."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

from bananarouter.demo_vendor import answers, beats, mischief, scripted, tokens

FINISH = {
    answers.Finish.STOP: "end_turn",
    answers.Finish.LENGTH: "max_tokens",
    answers.Finish.TOOLS: "tool_use",
    answers.Finish.REFUSED: "refusal",
}
# Error types by status (Anthropic's API reference, 2026-08).
ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
# How a block looks before its deltas.
EMPTY: dict[str, dict[str, Any]] = {
    "thinking": {"thinking": "", "signature": ""},
    "text": {"text": ""},
    "tool_use": {"input": {}},
}
TOKENS_EACH_EVENT = 3
WRITE_TOKENS_MIN = 1_024


def read(body: dict[str, Any]) -> answers.Prompt:
    """Understand a request."""
    messages = [item for item in body["messages"] if isinstance(item, dict)]
    users = [item for item in messages if item.get("role") == "user"]
    blocks = users[-1].get("content") if users else ""
    results = [
        beats.text_of(block.get("content"))
        for block in (blocks if isinstance(blocks, list) else [])
        if isinstance(block, dict) and block.get("type") == "tool_result"
    ]
    tools = tuple(
        answers.Tool(name=item["name"], schema=item["input_schema"])
        for item in body.get("tools") or ()
        if "input_schema" in item
    )
    wanted = (body.get("output_config") or {}).get("format") or {}
    texts = [beats.text_of(body.get("system")), *map(beats.text_of, messages)]
    return answers.Prompt(
        model=body["model"],
        text="\n".join([*texts, *(tool.name + beats.compact(tool.schema) for tool in tools)]),
        latest=beats.text_of(blocks),
        messages=len(messages),
        tools=tools,
        forced_tool=_forced(body.get("tool_choice") or {}),
        tool_result="\n".join(results) if results else None,
        schema=dict(wanted["schema"]) if wanted.get("type") == "json_schema" else None,
        output_tokens_max=body.get("max_tokens"),
        is_stream=bool(body.get("stream")),
        cache_marked='"cache_control"' in beats.compact(body),
        script=scripted.read(_turns(users)),
    )


def _turns(users: list[dict[str, Any]]) -> Iterator[scripted.Turn]:
    for message in users:
        content = message.get("content")
        for block in content if isinstance(content, list) else [content]:
            is_result = isinstance(block, dict) and block.get("type") == "tool_result"
            yield scripted.Turn(text=beats.text_of(block), is_result=is_result)


def _forced(choice: dict[str, Any]) -> str | None:
    return {"any": "", "tool": choice.get("name", "")}.get(str(choice.get("type")))


def usage(prompt: answers.Prompt, answer: answers.Answer) -> dict[str, Any]:
    """Return the usage as Anthropic counts: cache reads and writes stand outside the input."""
    read_tokens = write_tokens = 0
    if prompt.cache_marked and answer.prompt_tokens >= WRITE_TOKENS_MIN:
        step = tokens.CACHED_TOKENS_STEP
        read_tokens = answer.cached_tokens
        write_tokens = answer.prompt_tokens // step * step - read_tokens
    return {
        "input_tokens": answer.prompt_tokens - read_tokens - write_tokens,
        "cache_creation_input_tokens": write_tokens,
        "cache_read_input_tokens": read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": write_tokens,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": answer.output_tokens,
        "service_tier": "standard",
    }


def _blocks(answer: answers.Answer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if answer.thoughts:
        thinking = "".join(answer.thoughts)
        found.append({"type": "thinking", "thinking": thinking, "signature": _signature(thinking)})
    if answer.text:
        found.append({"type": "text", "text": "".join(answer.text)})
    for call in answer.calls:
        block = {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name}
        found.append({**block, "input": call.arguments})
    return found


def _signature(thinking: str) -> str:
    digest = hashlib.sha512(b"demo" + thinking.encode("utf-8", "replace")).digest()
    return base64.b64encode(digest).decode()


def whole(
    body: dict[str, Any], prompt: answers.Prompt, answer: answers.Answer, plan: mischief.Plan
) -> dict[str, Any]:
    """Return a whole answer."""
    del body
    found = {
        "id": f"msg_demo{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": prompt.model,
        "content": _blocks(answer),
        "stop_reason": FINISH[answer.finish],
        "stop_sequence": None,
    }
    return {**found, "usage": usage(prompt, answer)} if plan.has_usage else found


def events(
    body: dict[str, Any], prompt: answers.Prompt, answer: answers.Answer, plan: mischief.Plan
) -> Iterator[beats.Beat]:
    """Yield the stream's events; the usage at the start knows one token of output."""
    counted = usage(prompt, answer)
    message = whole(body, prompt, answer, plan)
    started = {**message, "content": [], "stop_reason": None}
    if plan.has_usage:
        started["usage"] = {**counted, "output_tokens": 1}
    yield _event("message_start", {"message": started})
    yield _event("ping", {})
    for index, block in enumerate(message["content"]):
        yield from _block_events(index, block, answer)
    delta = {"stop_reason": FINISH[answer.finish], "stop_sequence": None}
    ended: dict[str, Any] = {"delta": delta}
    if plan.has_usage:
        names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
                 "output_tokens")  # fmt: skip
        ended["usage"] = {name: counted[name] for name in names}
    yield _event("message_delta", ended)
    yield _event("message_stop", {})


def _block_events(
    index: int, block: dict[str, Any], answer: answers.Answer
) -> Iterator[beats.Beat]:
    began = {**block, **EMPTY[block["type"]]}
    yield _event("content_block_start", {"index": index, "content_block": began})
    for delta, written in _deltas(block, answer):
        yield _event("content_block_delta", {"index": index, "delta": delta}, tokens=written)
    yield _event("content_block_stop", {"index": index})


def _deltas(block: dict[str, Any], answer: answers.Answer) -> Iterator[tuple[dict[str, Any], int]]:
    if block["type"] == "thinking":
        for text, written in beats.groups(answer.thoughts, TOKENS_EACH_EVENT):
            yield {"type": "thinking_delta", "thinking": text}, written
        yield {"type": "signature_delta", "signature": block["signature"]}, 0
    elif block["type"] == "text":
        for text, written in beats.groups(answer.text, TOKENS_EACH_EVENT):
            yield {"type": "text_delta", "text": text}, written
    else:
        yield {"type": "input_json_delta", "partial_json": ""}, 0
        written_json = beats.compact(block["input"])
        for part in (written_json[at : at + 12] for at in range(0, len(written_json), 12)):
            yield {"type": "input_json_delta", "partial_json": part}, TOKENS_EACH_EVENT


def _event(name: str, value: dict[str, Any], *, tokens: int = 0) -> beats.Beat:
    return beats.named_event(name, {"type": name, **value}, tokens=tokens)


def error(status: int) -> dict[str, Any]:
    """Return an error as Anthropic words it."""
    kind = ERRORS.get(status, "api_error" if status >= 500 else "invalid_request_error")
    message = f"Simulated error {status} of the demo vendor."
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_demo"}


def error_event(status: int) -> bytes:
    """Return an error inside a stream."""
    return beats.named_event("error", error(status)).data
