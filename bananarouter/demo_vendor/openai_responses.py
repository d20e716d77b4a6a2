"""OpenAI's responses: what goes in, what comes out."""

import base64
import hashlib
import time
from collections.abc import Iterator
from typing import Any

from bananarouter.demo_vendor import answers, beats, mischief, openai_chat, scripted, tokens

error = openai_chat.error


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    given = body.get("input") or ""
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    return [item for item in items if isinstance(item, dict)]


def read(body: dict[str, Any]) -> answers.Prompt:
    """Understand a request."""
    items = _items(body)
    users = [item for item in items if item.get("role") == "user"]
    after = items[-1] if items else {}
    is_result = after.get("type") == "function_call_output"
    tools = tuple(
        answers.Tool(name=item["name"], schema=item.get("parameters") or {})
        for item in body.get("tools") or ()
        if item.get("type") == "function"
    )
    texts = [beats.text_of(item) or beats.text_of(item.get("output")) for item in items]
    wanted = (body.get("text") or {}).get("format") or {}
    return answers.Prompt(
        model=body["model"],
        text="\n".join([str(body.get("instructions") or ""), *texts]),
        latest=beats.text_of(users[-1].get("content")) if users else "",
        messages=len(items),
        tools=tools,
        forced_tool=openai_chat.forced_tool(body.get("tool_choice")),
        tool_result=beats.text_of(after.get("output")) if is_result else None,
        schema=dict(wanted["schema"]) if wanted.get("type") == "json_schema" else None,
        output_tokens_max=body.get("max_output_tokens"),
        is_stream=bool(body.get("stream")),
        script=scripted.read(map(_turn, items)),
    )


def _turn(item: dict[str, Any]) -> scripted.Turn:
    if item.get("type") == "function_call_output":
        return scripted.Turn(text=beats.text_of(item.get("output")), is_result=True)
    said = beats.text_of(item.get("content")) if item.get("role") == "user" else ""
    return scripted.Turn(text=said)


def usage(answer: answers.Answer) -> dict[str, Any]:
    """Return the usage in this protocol's words."""
    return {
        "input_tokens": answer.prompt_tokens,
        "input_tokens_details": {"cached_tokens": answer.cached_tokens},
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": len(answer.thoughts)},
        "total_tokens": answer.prompt_tokens + answer.output_tokens,
    }


def _reasoning(answer: answers.Answer) -> dict[str, Any]:
    return {"id": f"rs_demo{answer.id}", "type": "reasoning", "summary": []}


def _message(answer: answers.Answer, *, text: str | None, status: str) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "id": f"msg_demo{answer.id}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [] if text is None else [part],
    }


def _call(call: answers.Call, *, arguments: str, status: str) -> dict[str, Any]:
    return {
        "id": f"fc_demo{call.id}",
        "type": "function_call",
        "status": status,
        "call_id": f"call_{call.id}",
        "name": call.name,
        "arguments": arguments,
    }


def _output(answer: answers.Answer) -> list[dict[str, Any]]:
    found = [_reasoning(answer)] if answer.thoughts else []
    if answer.text:
        status = "incomplete" if answer.finish is answers.Finish.LENGTH else "completed"
        found.append(_message(answer, text="".join(answer.text), status=status))
    return found + [_call(call, arguments=call.json, status="completed") for call in answer.calls]


def _response(body: dict[str, Any], answer: answers.Answer, *, status: str) -> dict[str, Any]:
    given = body.get("temperature")
    return {
        "id": f"resp_demo{answer.id}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": body["model"],
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": bool(body.get("store", True)),
        "temperature": 1.0 if given is None else given,
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "metadata": {},
    }


def whole(
    body: dict[str, Any], prompt: answers.Prompt, answer: answers.Answer, plan: mischief.Plan
) -> dict[str, Any]:
    """Return a whole answer."""
    del prompt
    reasons = {
        answers.Finish.LENGTH: "max_output_tokens",
        answers.Finish.REFUSED: "content_filter",
    }
    reason = reasons.get(answer.finish)
    found = _response(body, answer, status="incomplete" if reason else "completed")
    found["incomplete_details"] = {"reason": reason} if reason else None
    found["output"] = _output(answer)
    found["usage"] = usage(answer) if plan.has_usage else None
    return found


def compacted(body: dict[str, Any], prompt: answers.Prompt) -> dict[str, Any]:
    """Return a conversation made shorter: the user's words, and a seal for the rest."""
    digest = hashlib.sha256(prompt.text.encode("utf-8", "replace"))
    seal = base64.b64encode(digest.digest()).decode()
    kept = [
        {"id": f"msg_demo{number}", "type": "message", "status": "completed", "role": "user",
         "content": [{"type": "input_text", "text": beats.text_of(item.get("content"))}]}
        for number, item in enumerate(_items(body)) if item.get("role") == "user"
    ]  # fmt: skip
    ending = {"id": f"cmp_demo{digest.hexdigest()[:20]}", "type": "compaction",
              "encrypted_content": seal}  # fmt: skip
    read_tokens, written = answers.prompt_tokens(prompt), tokens.count(seal)
    return {
        "id": f"resp_demo{digest.hexdigest()[-24:]}",
        "object": "response.compaction",
        "created_at": int(time.time()),
        "output": [*kept, ending],
        "usage": {
            "input_tokens": read_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read_tokens + written,
        },
    }


def events(
    body: dict[str, Any], prompt: answers.Prompt, answer: answers.Answer, plan: mischief.Plan
) -> Iterator[beats.Beat]:
    """Yield the stream's events with their sequence numbers."""
    for number, (name, value, size) in enumerate(_steps(body, prompt, answer, plan)):
        yield beats.named_event(
            name, {"type": name, **value, "sequence_number": number}, tokens=size
        )


Step = tuple[str, dict[str, Any], int]


def _steps(
    body: dict[str, Any], prompt: answers.Prompt, answer: answers.Answer, plan: mischief.Plan
) -> Iterator[Step]:
    started = _response(body, answer, status="in_progress")
    yield "response.created", {"response": started}, 0
    yield "response.in_progress", {"response": started}, 0
    index = 0
    if answer.thoughts:
        place = {"output_index": index, "item": _reasoning(answer)}
        yield "response.output_item.added", place, 0
        yield "response.output_item.done", place, len(answer.thoughts)
        index += 1
    if answer.text:
        yield from _text_steps(answer, index)
        index += 1
    for call in answer.calls:
        yield from _call_steps(call, index)
        index += 1
    done = whole(body, prompt, answer, plan)
    yield f"response.{done['status']}", {"response": done}, 0


def _text_steps(answer: answers.Answer, index: int) -> Iterator[Step]:
    item = _message(answer, text=None, status="in_progress")
    yield "response.output_item.added", {"output_index": index, "item": item}, 0
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    part: dict[str, Any] = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    yield "response.content_part.added", {**place, "part": part}, 0
    for text, size in beats.groups(answer.text, 1):
        yield "response.output_text.delta", {**place, "delta": text, "logprobs": []}, size
    text = "".join(answer.text)
    yield "response.output_text.done", {**place, "text": text, "logprobs": []}, 0
    yield "response.content_part.done", {**place, "part": {**part, "text": text}}, 0
    status = "incomplete" if answer.finish is answers.Finish.LENGTH else "completed"
    item = _message(answer, text=text, status=status)
    yield "response.output_item.done", {"output_index": index, "item": item}, 0


def _call_steps(call: answers.Call, index: int) -> Iterator[Step]:
    item = _call(call, arguments="", status="in_progress")
    yield "response.output_item.added", {"output_index": index, "item": item}, 2
    place = {"item_id": item["id"], "output_index": index}
    for part in openai_chat.parts(call.json):
        yield "response.function_call_arguments.delta", {**place, "delta": part}, 2
    ended = {**place, "name": call.name, "arguments": call.json}
    yield "response.function_call_arguments.done", ended, 0
    item = _call(call, arguments=call.json, status="completed")
    yield "response.output_item.done", {"output_index": index, "item": item}, 0


def error_event(status: int) -> bytes:
    """Return an error inside a stream."""
    told = error(status)["error"]
    value = {"type": "error", "code": told["code"] or told["type"], "message": told["message"],
             "param": None, "sequence_number": 0}  # fmt: skip
    return beats.named_event("error", value).data
