"""Write a request as a client of OpenAI Chat Completions does."""

from typing import Any

from tests.conformance.normal import Call, Choice, Media, Request, Result, Text, Thought, Tool, Turn
from tests.conformance.writers import encoding


def write(request: Request, *, seals: str) -> dict[str, Any]:
    messages = [{"role": "system", "content": text} for text in request.system]
    for turn in request.turns:
        messages += _messages(turn, seals)
    body: dict[str, Any] = {"messages": messages, **request.sampling}
    if request.is_stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    if request.max_tokens is not None:
        body["max_completion_tokens"] = request.max_tokens
    if request.tools:
        body["tools"] = [{"type": "function", "function": _tool(tool)} for tool in request.tools]
    if request.choice:
        body["tool_choice"] = _choice(request.choice)
    if request.is_parallel is not None:
        body["parallel_tool_calls"] = request.is_parallel
    return {**body, **_rest(request)}


def _rest(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if request.stop:
        body["stop"] = list(request.stop)
    if request.searches:
        body["web_search_options"] = {}
    if request.modalities:
        body |= {"modalities": ["text", *request.modalities],
                 "audio": {"voice": "alloy", "format": "wav"}}  # fmt: skip
    if request.reasoning and (request.reasoning.effort or request.reasoning.is_off):
        body["reasoning_effort"] = request.reasoning.effort or "none"
    if request.format and request.format.schema is None:
        body["response_format"] = {"type": "json_object"}
    elif request.format:
        inner = {"name": request.format.name or "response", "schema": request.format.schema}
        if request.format.strict is not None:
            inner["strict"] = request.format.strict
        body["response_format"] = {"type": "json_schema", "json_schema": inner}
    return body


def _messages(turn: Turn, seals: str) -> list[dict[str, Any]]:
    found = [
        {"role": "tool", "tool_call_id": part.id, "content": encoding.text_of(part)}
        for part in turn.parts
        if isinstance(part, Result)
    ]
    said = [part for part in turn.parts if isinstance(part, Text | Media)]
    calls = [part for part in turn.parts if isinstance(part, Call)]
    details = [row for part in turn.parts for row in _details(part, seals)]
    if not said and not calls and not details:
        return found
    message: dict[str, Any] = {"role": turn.role, "content": _content(said)}
    if calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function",
             "function": {"name": call.name, "arguments": encoding.compact(call.arguments)}}
            for call in calls
        ]  # fmt: skip
    if details:
        message["reasoning_details"] = [{**row, "index": at} for at, row in enumerate(details)]
    return [*found, message]


def _content(said: list[Any]) -> Any:
    if not said:
        return None
    if len(said) == 1 and isinstance(said[0], Text):
        return said[0].text
    return [_part(part) for part in said]


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if part.kind == "image":
        return {"type": "image_url", "image_url": {"url": encoding.address(part)}}
    if part.kind == "audio":
        sound = {"data": encoding.encoded(part), "format": encoding.FORMATS[part.mime]}
        return {"type": "input_audio", "input_audio": sound}
    file = {"file_data": encoding.address(part), "filename": part.name or "document.pdf"}
    return {"type": "file", "file": file}


def _details(part: Any, seals: str) -> list[dict[str, Any]]:
    """Tell seals as our own answers told them: each vendor's under its own format."""
    if isinstance(part, Call) and part.seal:
        row = {"type": "reasoning.encrypted", "format": seals, "data": part.seal, "id": part.id}
        return [row]
    if not isinstance(part, Thought):
        return []
    if seals.startswith("anthropic") and part.text:
        return [{"type": "reasoning.text", "format": seals, "text": part.text,
                 "signature": part.seal}]  # fmt: skip
    kind = "summary" if seals.endswith("responses-v1") else "text"
    found: list[dict[str, Any]] = []
    if part.text:
        found.append({"type": f"reasoning.{kind}", "format": seals, kind: part.text})
    sealed = {"type": "reasoning.encrypted", "format": seals, "data": part.seal}
    return [*found, {**sealed, "id": part.id} if part.id else sealed]


def _tool(tool: Tool) -> dict[str, Any]:
    found: dict[str, Any] = {"name": tool.name, "parameters": tool.schema}
    if tool.description:
        found["description"] = tool.description
    if tool.strict is not None:
        found["strict"] = tool.strict
    return found


def _choice(choice: Choice) -> Any:
    mode = {"any": "required"}.get(choice.mode, choice.mode)
    named = [{"type": "function", "function": {"name": name}} for name in choice.names]
    if not named:
        return mode
    if len(named) == 1 and choice.mode == "any":
        return named[0]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": named}}
