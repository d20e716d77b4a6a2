"""Writes tools, and which of them may be called, in Anthropic's shape (pure)."""

from collections.abc import Iterator
from typing import Any, Final

from routing.conversation import Request, Tool, ToolCall, ToolChoice, WebSearch
from routing.dialects.base import Quirks
from routing.translators.anthropic_messages import marks
from routing.translators.anthropic_messages.schemas import Closing
from routing.translators.drops import Drops
from routing.translators.names import Names

LEGAL: Final = "a-zA-Z0-9_-"
LENGTH_MAX: Final = 128
_MODES: Final = {"auto": "auto", "none": "none", "required": "any"}


def tool_names(request: Request) -> Names:
    """Return the names that the vendor takes, of all tools and calls of the request."""
    used = (tool.name for tool in request.tools)
    return Names(used, legal=LEGAL, length_max=LENGTH_MAX)


def write(
    body: dict[str, Any], request: Request, *, names: Names, quirks: Quirks, drops: Drops
) -> None:
    """Put tools and choice into the body."""
    choice = request.tool_choice
    wanted = [tool for tool in request.tools if _is_chosen(tool, choice)]
    tools = [_tool(tool, names=names, quirks=quirks, drops=drops) for tool in wanted]
    if request.web_search is not None:
        tools.append(_web_search(request.web_search, drops))
    if not tools:
        tools = [*_called(request, names)]
        choice = ToolChoice(mode="none") if tools else None
    if tools:
        body["tools"] = tools
        _choose(body, choice, request, names=names, quirks=quirks, drops=drops)


def forces(request: Request) -> bool:
    """Tell whether a tool must be called."""
    choice = request.tool_choice
    return (
        choice is not None
        and choice.mode == "required"
        and bool(request.tools or request.web_search)
    )


def _is_chosen(tool: Tool, choice: ToolChoice | None) -> bool:
    """Of a choice among some, only these are sent; a choice of one has a word of its own."""
    if choice is None or not choice.names or _is_one(choice):
        return True
    return tool.name in choice.names


def _is_one(choice: ToolChoice) -> bool:
    return choice.mode == "required" and len(choice.names) == 1


def _tool(tool: Tool, *, names: Names, quirks: Quirks, drops: Drops) -> dict[str, Any]:
    found: dict[str, Any] = {"name": names.of(tool.name)}
    if description := _description(tool):
        found["description"] = description
    if tool.is_custom:
        drops.note("tools[].custom")  # it becomes a function of one text
        found["input_schema"] = {
            "type": "object",
            "properties": {"input": {"type": "string"}},
            "required": ["input"],
        }
        return marks.put(found, tool.cache)
    schema = dict(tool.schema or {"type": "object", "properties": {}})
    if schema.get("type") != "object":  # absent, or one of several
        schema["type"] = "object"
    found["input_schema"] = schema
    if tool.is_strict:
        if quirks.takes_strict and _is_closed(schema):
            found["strict"] = True
        else:
            drops.drop("tools[].strict")
    return marks.put(found, tool.cache)


def _description(tool: Tool) -> str:
    """Return the description; a grammar of the input is told in it, where nothing enforces it."""
    grammar = tool.grammar or {}
    definition = grammar.get("definition")
    if not definition:
        return tool.description
    syntax = grammar.get("syntax", "")
    said = f"`input` must match this {syntax} grammar:\n{definition}"
    return f"{tool.description}\n\n{said}" if tool.description else said


def _is_closed(schema: dict[str, Any]) -> bool:
    closing = Closing()
    closing.close(schema)
    return not closing.is_changed


def _web_search(search: WebSearch, drops: Drops) -> dict[str, Any]:
    if search.allowed_domains and search.blocked_domains:
        drops.refuse("blocked_domains")
    drops.drop_if("search_context_size", given=search.context_size)
    found: dict[str, Any] = {"type": "web_search_20250305", "name": "web_search"}
    if search.uses_max is not None:
        found["max_uses"] = search.uses_max
    if search.allowed_domains:
        found["allowed_domains"] = list(search.allowed_domains)
    if search.blocked_domains:
        found["blocked_domains"] = list(search.blocked_domains)
    if search.location:
        found["user_location"] = {"type": "approximate", **search.location}
    return found


def _called(request: Request, names: Names) -> Iterator[dict[str, Any]]:
    """Describe the tools of a history that comes without: calls need some ([mem], 2026-11)."""
    calls = (part for turn in request.turns for part in turn.parts if isinstance(part, ToolCall))
    for name in dict.fromkeys(names.of(call.name) for call in calls):
        yield {"name": name, "input_schema": {"type": "object"}}


def _choose(
    body: dict[str, Any],
    choice: ToolChoice | None,
    request: Request,
    *,
    names: Names,
    quirks: Quirks,
    drops: Drops,
) -> None:
    told: dict[str, Any] = {}
    if choice is not None:
        told = {"type": _MODES.get(choice.mode, "auto")}
        if _is_one(choice):
            told = {"type": "tool", "name": names.of(choice.names[0])}
    if request.is_parallel is False:
        if not quirks.takes_parallel_switch:
            drops.drop("parallel_tool_calls")
        elif told.get("type") != "none":
            told = {"type": "auto", **told, "disable_parallel_tool_use": True}
    if told:
        body["tool_choice"] = told
