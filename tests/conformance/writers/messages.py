"""Write a request as a client of Anthropic Messages does."""

from typing import Any

from tests.conformance.normal import Call, Media, Reasoning, Request, Result, Text, Tool
from tests.conformance.writers import encoding


def write(request: Request, *, seals: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "max_tokens": request.max_tokens,
        "messages": [
            {"role": turn.role, "content": [_block(part) for part in turn.parts]}
            for turn in request.turns
        ],
        **request.sampling,
    }
    if request.system:
        body["system"] = [{"type": "text", "text": text} for text in request.system]
    if request.is_stream:
        body["stream"] = True
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    return {**body, **_tools(request), **_output(request)}


def _tools(request: Request) -> dict[str, Any]:
    tools = [_tool(tool) for tool in request.tools]
    if request.searches:
        tools.append({"type": "web_search_20250305", "name": "web_search"})
    choice = _choice(request)
    return {name: told for name, told in (("tools", tools), ("tool_choice", choice)) if told}


def _output(request: Request) -> dict[str, Any]:
    config: dict[str, Any] = {}
    body: dict[str, Any] = {}
    if request.format:
        config["format"] = {"type": "json_schema", "schema": request.format.schema}
    if request.reasoning:
        body["thinking"], effort = _thinking(request.reasoning, request.max_tokens or 0)
        if effort:
            config["effort"] = effort
    return {**body, "output_config": config} if config else body


def _thinking(told: Reasoning, limit: int) -> tuple[dict[str, Any], str]:
    if told.is_off:
        return {"type": "disabled"}, ""
    shown: dict[str, Any] = {}
    if told.is_shown is not None:
        shown["display"] = "summarized" if told.is_shown else "omitted"
    if told.budget is not None and told.budget < limit:
        return {"type": "enabled", "budget_tokens": max(told.budget, 1024), **shown}, ""
    return {"type": "adaptive", **shown}, {"minimal": "low"}.get(told.effort, told.effort)


def _block(part: Any) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Media):
        return {"type": part.kind, "source": _source(part)}
    if isinstance(part, Call):
        return {"type": "tool_use", "id": part.id, "name": part.name, "input": part.arguments}
    assert isinstance(part, Result)
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": part.id}
    if part.parts:
        block["content"] = [_block(inner) for inner in part.parts]
    return {**block, "is_error": True} if part.is_error else block


def _source(media: Media) -> dict[str, Any]:
    if media.url:
        return {"type": "url", "url": media.url}
    if media.mime == "text/plain":
        return {"type": "text", "media_type": "text/plain", "data": encoding.decoded(media)}
    return {"type": "base64", "media_type": media.mime, "data": encoding.encoded(media)}


def _tool(tool: Tool) -> dict[str, Any]:
    found: dict[str, Any] = {"name": tool.name, "input_schema": tool.schema}
    if tool.description:
        found["description"] = tool.description
    if tool.strict is not None:
        found["strict"] = tool.strict
    return found


def _choice(request: Request) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if request.choice:
        names = request.choice.names
        told = {"type": "tool", "name": names[0]} if names else {"type": request.choice.mode}
    if request.is_parallel is False:
        told = {"type": "auto", **told, "disable_parallel_tool_use": True}
    return told
