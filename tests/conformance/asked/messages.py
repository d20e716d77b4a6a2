"""Read a request of Anthropic Messages."""

import base64
from typing import Any

from tests.conformance.asked import spelling
from tests.conformance.normal import (
    Call,
    Choice,
    Format,
    Media,
    Opaque,
    Reasoning,
    Request,
    Result,
    Text,
    Thought,
    Tool,
)

LIMITS = ("allowed_domains", "blocked_domains", "max_uses", "user_location")
CHOICES = {"auto": "auto", "none": "none", "any": "any", "tool": "any"}


def read(body: dict[str, Any]) -> Request:
    tools = body.get("tools") or []
    choice = body.get("tool_choice") or {}
    serial = choice.get("disable_parallel_tool_use")
    return Request(
        system=tuple(part.text for part in _content(body.get("system"))),
        turns=spelling.turns_of([(m["role"], _content(m["content"])) for m in body["messages"]]),
        tools=tuple(_tool(tool) for tool in tools if tool.get("type", "custom") == "custom"),
        choice=_choice(choice),
        is_parallel=None if serial is None else not serial,
        format=_format(body),
        max_tokens=body.get("max_tokens"),
        sampling=spelling.sampling(body, {k: k for k in ("temperature", "top_p", "top_k")}),
        stop=tuple(body.get("stop_sequences") or ()),
        reasoning=_reasoning(body),
        is_stream=bool(body.get("stream")),
        searches=any(_is_plain_search(tool) for tool in tools),
        server_tools=tuple(_server_tools(tools)),
    )


def _is_plain_search(tool: dict[str, Any]) -> bool:
    is_search = tool.get("type", "").startswith("web_search_")
    return is_search and not any(tool.get(limit) for limit in LIMITS)


def _server_tools(tools: list[dict[str, Any]]) -> list[str]:
    kinds = [tool.get("type", "custom") for tool in tools if not _is_plain_search(tool)]
    return [kind for kind in kinds if kind != "custom"]


def _content(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [Text(text=content)] if content else []
    return [part for told in content or [] if (part := _part(told)) is not None]


def _part(told: dict[str, Any]) -> Any:  # noqa: PLR0911 - one line for each kind
    match told["type"]:
        case "text":
            return Text(text=told["text"]) if told["text"] else None
        case "image" | "document" as kind:
            return _media(kind, told["source"])
        case "thinking":
            return Thought(text=told["thinking"], seal=told.get("signature") or "")
        case "redacted_thinking":
            return Thought(seal=told["data"])
        case "tool_use":
            return Call(id=told["id"], name=told["name"], arguments=told.get("input") or {})
        case "tool_result":
            parts = tuple(_content(told.get("content")))
            is_error = bool(told.get("is_error"))
            return Result(id=told["tool_use_id"], parts=parts, is_error=is_error)
    return Opaque(kind=told["type"])


def _media(kind: str, source: dict[str, Any]) -> Any:
    match source["type"]:
        case "base64":
            return Media(kind=kind, mime=source["media_type"],
                         data=source["data"].rstrip("="))  # fmt: skip
        case "url":
            return Media(kind=kind, url=source["url"])
        case "text":
            return Media(
                kind=kind,
                mime="text/plain",
                data=base64.b64encode(source["data"].encode()).decode().rstrip("="),
            )
    return Opaque(kind=f"{kind} by {source['type']}")


def _tool(tool: dict[str, Any]) -> Tool:
    return Tool(
        name=tool["name"],
        description=tool.get("description") or "",
        schema=spelling.tool_schema(tool.get("input_schema")),
        strict=tool.get("strict"),
    )


def _choice(told: dict[str, Any]) -> Choice | None:
    if not told:
        return None
    names = (told["name"],) if told["type"] == "tool" else ()
    return Choice(mode=CHOICES[told["type"]], names=names)


def _format(body: dict[str, Any]) -> Format | None:
    told = (body.get("output_config") or {}).get("format") or body.get("output_format")
    return spelling.format_of(told["schema"]) if told else None


def _reasoning(body: dict[str, Any]) -> Reasoning | None:
    effort = (body.get("output_config") or {}).get("effort") or ""
    told = body.get("thinking") or {}
    shown = {"summarized": True, "omitted": False}.get(told.get("display", ""))
    match told.get("type"):
        case "enabled":
            return Reasoning(budget=told["budget_tokens"], is_shown=shown)
        case "disabled":
            return Reasoning(is_off=True)
        case None if not effort:
            return None
    return Reasoning(effort=effort, is_shown=shown)
