"""Our tools, and how they are chosen, in words of Responses (pure)."""

from typing import Any

from routing.conversation import Request, Tool, ToolChoice, WebSearch
from routing.dialects.base import Quirks
from routing.translators.drops import Drops
from routing.translators.names import Names

Body = dict[str, Any]


def write(request: Request, *, quirks: Quirks, names: Names, drops: Drops) -> Body:
    """Write the fields about tools; none where there are no tools."""
    tools = [_tool(tool, quirks, names, drops) for tool in request.tools]
    body: Body = {}
    if request.web_search is not None:
        tools.append(_search(request.web_search, drops))
        if request.web_search.uses_max is not None:
            body["max_tool_calls"] = request.web_search.uses_max
    if not tools:
        return {}
    body["tools"] = tools
    if request.tool_choice is not None:
        customs = {tool.name for tool in request.tools if tool.is_custom}
        body["tool_choice"] = _choice(request.tool_choice, customs, names)
    if request.is_parallel is not None:
        if quirks.takes_parallel_switch:
            body["parallel_tool_calls"] = request.is_parallel
        else:
            drops.drop("parallel_tool_calls")
    return body


def _tool(tool: Tool, quirks: Quirks, names: Names, drops: Drops) -> Body:
    if tool.cache is not None:
        drops.note("cache_control")
    if tool.is_custom:
        return _custom(tool, names)
    written: Body = {
        "type": "function",
        "name": names.of(tool.name),
        "parameters": tool.schema or {"type": "object", "properties": {}},
    }
    if tool.description:
        written["description"] = tool.description
    if quirks.takes_strict:
        # Absent, it would become true wherever the schema allows it (recorded 2026-03).
        written["strict"] = bool(tool.is_strict)
    else:
        drops.drop_if("strict", given=tool.is_strict)
    return written


def _custom(tool: Tool, names: Names) -> Body:
    written: Body = {"type": "custom", "name": names.of(tool.name)}
    if tool.description:
        written["description"] = tool.description
    if tool.grammar is not None:
        written["format"] = {"type": "grammar", **tool.grammar}
    return written


def _search(search: WebSearch, drops: Drops) -> Body:
    written: Body = {"type": "web_search"}
    if search.context_size:
        written["search_context_size"] = search.context_size
    if search.location:
        written["user_location"] = {"type": "approximate", **search.location}
    if search.allowed_domains:
        written["filters"] = {"allowed_domains": list(search.allowed_domains)}
    if search.blocked_domains:
        drops.refuse("blocked_domains")
    return written


def _choice(choice: ToolChoice, customs: set[str], names: Names) -> Any:
    if not choice.names:
        return choice.mode
    chosen = [
        {"type": "custom" if name in customs else "function", "name": names.of(name)}
        for name in choice.names
    ]
    if choice.mode == "required" and len(chosen) == 1:
        return chosen[0]
    if choice.mode == "none":
        return "none"
    return {"type": "allowed_tools", "mode": choice.mode, "tools": chosen}
