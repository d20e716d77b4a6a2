"""OpenAI's chat completions: what goes in, what comes out."""

import time
from collections.abc import Iterator
from typing import Any

from bananarouter.demo_vendor import answers, beats, mischief, scripted

FINISH = {
    answers.Finish.STOP: "stop",
    answers.Finish.LENGTH: "length",
    answers.Finish.TOOLS: "tool_calls",
    answers.Finish.REFUSED: "content_filter",
}
FREE_SCHEMA = {"type": "object", "properties": {"answer": {"const": answers.LABEL}}}


def read(body: dict[str, Any]) -> answers.Prompt:
    """Understand a request."""
    messages = [item for item in body["messages"] if isinstance(item, dict)]
    users = [item for item in messages if item.get("role") == "user"]
    after = messages[-1] if messages else {}
    tools = tuple(
        answers.Tool(name=item["function"]["name"], schema=item["function"].get("parameters") or {})
        for item in body.get("tools") or ()
        if item.get("type") == "function"
    )
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    return answers.Prompt(
        model=body["model"],
        text="\n".join([*map(beats.text_of, messages), *(tool.name for tool in tools)]),
        latest=beats.text_of(users[-1].get("content")) if users else "",
        messages=len(messages),
        tools=tools,
        forced_tool=forced_tool(body.get("tool_choice")),
        tool_result=beats.text_of(after.get("content")) if after.get("role") == "tool" else None,
        schema=_schema(body.get("response_format") or {}),
        output_tokens_max=int(limit) if limit else None,
        is_stream=bool(body.get("stream")),
        script=scripted.read(map(_turn, messages)),
    )


def _turn(message: dict[str, Any]) -> scripted.Turn:
    role = message.get("role")
    text = beats.text_of(message.get("content")) if role in {"user", "tool"} else ""
    return scripted.Turn(text=text, is_result=role == "tool")


def forced_tool(choice: Any) -> str | None:
    """Return the name of the tool that `tool_choice` demands, "" for any, None for no demand."""
    if isinstance(choice, dict):
        return str((choice.get("function") or choice).get("name", ""))
    return "" if choice == "required" else None


def _schema(wanted: dict[str, Any]) -> dict[str, Any] | None:
    if wanted.get("type") == "json_schema":
        return dict(wanted.get("json_schema", {}).get("schema") or FREE_SCHEMA)
    return FREE_SCHEMA if wanted.get("type") == "json_object" else None


def usage(answer: answers.Answer) -> dict[str, Any]:
    """Return the usage as OpenAI counts: cached and reasoning tokens are inside the sums."""
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.prompt_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": len(answer.thoughts),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _calls(answer: answers.Answer) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{call.id}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.json},
        }
        for call in answer.calls
    ]


def whole(
    body: dict[str, Any], prompt: answers.Prompt, answer: answers.Answer, plan: mischief.Plan
) -> dict[str, Any]:
    """Return a whole answer; every one of `n` choices is the same and counts."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(answer.text) or None,
        "refusal": None,
        "annotations": [],
    }
    if answer.calls:
        message["tool_calls"] = _calls(answer)
    choice = {"message": message, "logprobs": None, "finish_reason": FINISH[answer.finish]}
    count = int(body.get("n") or 1)
    found: dict[str, Any] = {
        "id": f"chatcmpl-demo{answer.id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": prompt.model,
        "choices": [{"index": index, **choice} for index in range(count)],
        "service_tier": "default",
        "system_fingerprint": "fp_demo",
    }
    if plan.has_usage:
        found["usage"] = _times(usage(answer), count)
    return found


def _times(counted: dict[str, Any], count: int) -> dict[str, Any]:
    """Return the usage of `count` choices: their output adds up, the prompt is read once."""
    output = counted["completion_tokens"] * count
    details = {name: n * count for name, n in counted["completion_tokens_details"].items()}
    return {
        **counted,
        "completion_tokens": output,
        "total_tokens": counted["prompt_tokens"] + output,
        "completion_tokens_details": details,
    }


def events(
    body: dict[str, Any], prompt: answers.Prompt, answer: answers.Answer, plan: mischief.Plan
) -> Iterator[beats.Beat]:
    """Yield the stream: one token for each event, as OpenAI does."""
    wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    frame = {
        "id": f"chatcmpl-demo{answer.id}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": prompt.model,
        "service_tier": "default",
        "system_fingerprint": "fp_demo",
    }
    rest = {"usage": None} if wants_usage else {}

    def chunk(delta: dict[str, Any], finish: str | None = None, tokens: int = 0) -> beats.Beat:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return beats.data_event({**frame, "choices": [choice], **rest}, tokens=tokens)

    yield chunk({"role": "assistant", "content": "", "refusal": None}, tokens=len(answer.thoughts))
    for text, tokens in beats.groups(answer.text, 1):
        yield chunk({"content": text}, tokens=tokens)
    for index, call in enumerate(_calls(answer)):
        named = {**call["function"], "arguments": ""}
        yield chunk({"tool_calls": [{"index": index, **call, "function": named}]}, tokens=2)
        for part in parts(call["function"]["arguments"]):
            delta = {"tool_calls": [{"index": index, "function": {"arguments": part}}]}
            yield chunk(delta, tokens=2)
    yield chunk({}, FINISH[answer.finish])
    if wants_usage and plan.has_usage:
        yield beats.data_event({**frame, "choices": [], "usage": usage(answer)})
    yield beats.Beat(data=b"data: [DONE]\n\n")


def parts(text: str, size: int = 8) -> Iterator[str]:
    """Cut a call's arguments for streaming."""
    return (text[at : at + size] for at in range(0, len(text), size))


def error(status: int) -> dict[str, Any]:
    """Return an error as OpenAI words it."""
    kinds = {429: "rate_limit_exceeded", 401: "invalid_request_error", 400: "invalid_request_error"}
    kind = kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
    code = {429: "rate_limit_exceeded", 401: "invalid_api_key"}.get(status)
    message = f"Simulated error {status} of the demo vendor."
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def error_event(status: int) -> bytes:
    """Return an error inside a stream."""
    return f"data: {beats.compact(error(status))}\n\n".encode()
