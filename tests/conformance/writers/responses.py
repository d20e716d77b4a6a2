"""Write a request as a client of OpenAI Responses does."""

from typing import Any

from tests.conformance.normal import Call, Choice, Media, Request, Result, Text, Tool, Turn
from tests.conformance.writers import encoding


def write(request: Request, *, seals: str) -> dict[str, Any]:
    items = [{"role": "system", "content": text} for text in request.system[1:]]
    for turn in request.turns:
        items += _items(turn)
    body: dict[str, Any] = {"input": items, "store": False, **request.sampling,
                            "include": ["reasoning.encrypted_content"]}  # fmt: skip
    if request.system:
        body["instructions"] = request.system[0]
    if request.is_stream:
        body["stream"] = True
    if request.max_tokens is not None:
        body["max_output_tokens"] = request.max_tokens
    return {**body, **_tools(request), **_rest(request)}


def _tools(request: Request) -> dict[str, Any]:
    tools = [_tool(tool) for tool in request.tools]
    if request.searches:
        tools.append({"type": "web_search"})
    body: dict[str, Any] = {"tools": tools} if tools else {}
    if request.choice:
        body["tool_choice"] = _choice(request.choice)
    if request.is_parallel is not None:
        body["parallel_tool_calls"] = request.is_parallel
    return body


def _rest(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if request.format and request.format.schema is None:
        body["text"] = {"format": {"type": "json_object"}}
    elif request.format:
        told: dict[str, Any] = {"type": "json_schema", "name": request.format.name or "response",
                                "schema": request.format.schema}  # fmt: skip
        if request.format.strict is not None:
            told["strict"] = request.format.strict
        body["text"] = {"format": told}
    if request.reasoning:
        wish: dict[str, Any] = {}
        if request.reasoning.effort or request.reasoning.is_off:
            wish["effort"] = request.reasoning.effort or "none"
        if request.reasoning.is_shown:
            wish["summary"] = "auto"
        body["reasoning"] = wish
    return body


def _items(turn: Turn) -> list[dict[str, Any]]:
    """Write a message for what is said between calls and results, in order."""
    items: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []

    def flush() -> None:
        if said:
            items.append({"role": turn.role, "content": said.copy()})
            said.clear()

    for part in turn.parts:
        if isinstance(part, Text | Media):
            said.append(_part(part, turn.role))
            continue
        flush()
        if isinstance(part, Call):
            items.append({"type": "function_call", "call_id": part.id, "name": part.name,
                          "arguments": encoding.compact(part.arguments)})  # fmt: skip
        elif isinstance(part, Result):
            items.append({"type": "function_call_output", "call_id": part.id,
                          "output": _output(part)})  # fmt: skip
    flush()
    return items


def _output(result: Result) -> Any:
    if all(isinstance(part, Text) for part in result.parts):
        return encoding.text_of(result)
    return [_part(part, "user") for part in result.parts]


def _part(part: Any, role: str) -> dict[str, Any]:
    if isinstance(part, Text):
        kind = "output_text" if role == "assistant" else "input_text"
        return {"type": kind, "text": part.text}
    if part.kind == "image":
        return {"type": "input_image", "image_url": encoding.address(part), "detail": "auto"}
    if part.url:
        return {"type": "input_file", "file_url": part.url}
    return {"type": "input_file", "file_data": encoding.address(part),
            "filename": part.name or "document.pdf"}  # fmt: skip


def _tool(tool: Tool) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "function", "name": tool.name, "parameters": tool.schema}
    if tool.description:
        found["description"] = tool.description
    # Absent, it would become true (recorded): a client that wants none says so.
    found["strict"] = bool(tool.strict)
    return found


def _choice(choice: Choice) -> Any:
    mode = {"any": "required"}.get(choice.mode, choice.mode)
    named = [{"type": "function", "name": name} for name in choice.names]
    if not named:
        return mode
    if len(named) == 1 and choice.mode == "any":
        return named[0]
    return {"type": "allowed_tools", "mode": mode, "tools": named}
