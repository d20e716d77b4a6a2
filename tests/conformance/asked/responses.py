"""Read a request of OpenAI Responses."""

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

SEARCH = ("web_search", "web_search_preview")


def read(body: dict[str, Any]) -> Request:
    system = [body["instructions"]] if body.get("instructions") else []
    told = body.get("input") or []
    turns: list[tuple[str, list[Any]]] = []
    for item in [{"role": "user", "content": told}] if isinstance(told, str) else told:
        role, parts = _item(item)
        if role == "system" and not turns:
            system += [part.text for part in parts]
        else:
            turns.append((role, parts))
    tools = body.get("tools") or []
    return Request(
        system=tuple(system),
        turns=spelling.turns_of(turns),
        tools=tuple(_tool(tool) for tool in tools if tool["type"] == "function"),
        choice=_choice(body.get("tool_choice")),
        is_parallel=body.get("parallel_tool_calls"),
        format=_format((body.get("text") or {}).get("format")),
        max_tokens=body.get("max_output_tokens"),
        sampling=spelling.sampling(body, {"temperature": "temperature", "top_p": "top_p"}),
        reasoning=_reasoning(body.get("reasoning") or {}),
        is_stream=bool(body.get("stream")),
        searches=any(_is_plain_search(tool) for tool in tools),
        server_tools=tuple(_server_tools(tools)),
    )


def _is_plain_search(tool: dict[str, Any]) -> bool:
    return tool["type"] in SEARCH and not tool.get("filters")


def _server_tools(tools: list[dict[str, Any]]) -> list[str]:
    return [t["type"] for t in tools if t["type"] != "function" and not _is_plain_search(t)]


def _item(item: dict[str, Any]) -> tuple[str, list[Any]]:
    match item.get("type", "message"):
        case "message":
            role = {"developer": "system"}.get(item["role"], item["role"])
            return role, _content(item["content"])
        case "function_call":
            call = Call(id=item["call_id"], name=item["name"],
                        arguments=spelling.arguments(item.get("arguments")))  # fmt: skip
            return "assistant", [call]
        case "function_call_output":
            parts = tuple(_content(item["output"]))
            return "user", [Result(id=item["call_id"], parts=parts)]
        case "reasoning":
            rows = item.get("content") or item.get("summary") or []
            text = "\n\n".join(row["text"] for row in rows)
            return "assistant", [Thought(text=text, seal=item.get("encrypted_content") or "",
                                         id=item.get("id") or "")]  # fmt: skip
        case "item_reference" | "tool_search_output" | "mcp_approval_response" as kind:
            return "user", [Opaque(kind=kind)]
        case kind:
            return "assistant", [Opaque(kind=kind)]


def _content(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [Text(text=content)] if content else []
    return [part for told in content or [] if (part := _part(told)) is not None]


def _part(told: dict[str, Any]) -> Any:
    match told["type"]:
        case "input_text" | "output_text":
            return Text(text=told["text"]) if told["text"] else None
        case "refusal":
            return Text(text=told["refusal"])
        case "input_image" if told.get("image_url"):
            return spelling.data_url("image", told["image_url"])
        case "input_file" if told.get("file_data"):
            return spelling.data_url("document", told["file_data"])
        case "input_file" if told.get("file_url"):
            return Media(kind="document", url=told["file_url"])
    return Opaque(kind=told["type"])


def _tool(tool: dict[str, Any]) -> Tool:
    return Tool(
        name=tool["name"],
        description=tool.get("description") or "",
        schema=spelling.tool_schema(tool.get("parameters")),
        strict=tool.get("strict"),
    )


def _choice(told: Any) -> Choice | None:
    if told is None:
        return None
    if isinstance(told, str):
        return Choice(mode={"required": "any"}.get(told, told))
    if told["type"] == "allowed_tools":
        names = tuple(tool["name"] for tool in told["tools"])
        return Choice(mode={"required": "any"}.get(told["mode"], told["mode"]), names=names)
    if told["type"] == "function":
        return Choice(mode="any", names=(told["name"],))
    return Choice(mode=told["type"])


def _format(told: dict[str, Any] | None) -> Format | None:
    if not told or told["type"] == "text":
        return None
    return spelling.format_of(told.get("schema"), name=told.get("name") or "",
                            strict=told.get("strict"))  # fmt: skip


def _reasoning(told: dict[str, Any]) -> Reasoning | None:
    effort, summary = told.get("effort"), told.get("summary")
    if effort == "none":
        return Reasoning(is_off=True)
    if not effort and not summary:
        return None
    return Reasoning(effort=effort or "", is_shown=True if summary else None)
