"""Read a request of OpenAI Chat Completions."""

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

SAMPLING = {
    "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "seed": "seed",
    "random_seed": "seed", "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty", "n": "n",
}  # fmt: skip


def read(body: dict[str, Any]) -> Request:
    system, turns = [], []
    for message in body["messages"]:
        role = {"developer": "system", "function": "tool"}.get(message["role"], message["role"])
        parts = _content(message.get("content"))
        if role == "system" and not turns:
            system += [part.text for part in parts]
        elif role == "tool":
            told = message.get("tool_call_id") or ""
            turns.append(("user", [Result(id=told, name=message.get("name") or "",
                                          parts=tuple(parts))]))  # fmt: skip
        elif role == "assistant":
            turns.append((role, [*_thoughts(message), *parts, *_calls(message)]))
        else:
            turns.append((role, parts))
    tools = body.get("tools") or []
    return Request(
        system=tuple(system),
        turns=spelling.turns_of(turns),
        tools=tuple(_tool(tool["function"]) for tool in tools if "function" in tool),
        choice=_choice(body.get("tool_choice")),
        is_parallel=body.get("parallel_tool_calls"),
        format=_format(body.get("response_format")),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        sampling={k: v for k, v in spelling.sampling(body, SAMPLING).items() if (k, v) != ("n", 1)},
        stop=_stop(body.get("stop")),
        reasoning=_reasoning(body),
        is_stream=bool(body.get("stream")),
        searches=body.get("web_search_options") is not None,
        modalities=tuple(m for m in body.get("modalities") or [] if m != "text"),
    )


def _content(content: Any) -> list[Any]:
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(text=content)] if content else []
    return [part for told in content if (part := _part(told)) is not None]


def _part(told: dict[str, Any]) -> Any:  # noqa: PLR0911 - one line for each kind
    kind = told["type"]
    match kind:
        case "text":
            return Text(text=told["text"]) if told["text"] else None
        case "image_url":
            where = told["image_url"]
            return spelling.data_url("image", where if isinstance(where, str) else where["url"])
        case "input_audio":
            sound = told["input_audio"]
            return Media(kind="audio", mime=spelling.EXTENSIONS[sound["format"]],
                         data=sound["data"].rstrip("="))  # fmt: skip
        case "document_url":
            return spelling.data_url("document", told["document_url"])
        case "file" if "file_data" in told["file"]:
            return spelling.data_url("document", told["file"]["file_data"])
        case "thinking":
            return Thought(text="".join(row["text"] for row in told["thinking"]))
        case "refusal":
            return Text(text=told["refusal"])
    return Opaque(kind=kind)


def _thoughts(message: dict[str, Any]) -> list[Thought]:
    details = message.get("reasoning_details") or []
    found = [
        Thought(
            text=detail.get("text") or detail.get("summary") or "",
            seal=detail.get("signature") or detail.get("data") or "",
            id=detail.get("id") or "",
        )
        for detail in details
    ]
    plain = message.get("reasoning_content") or message.get("reasoning") or ""
    return found or ([Thought(text=plain)] if plain else [])


def _calls(message: dict[str, Any]) -> list[Call]:
    return [
        Call(
            id=call.get("id") or "",
            name=call["function"]["name"],
            arguments=spelling.arguments(call["function"].get("arguments")),
        )
        for call in message.get("tool_calls") or []
    ]


def _tool(function: dict[str, Any]) -> Tool:
    return Tool(
        name=function["name"],
        description=function.get("description") or "",
        schema=spelling.tool_schema(function.get("parameters")),
        strict=function.get("strict"),
    )


def _choice(told: Any) -> Choice | None:
    if told is None:
        return None
    if isinstance(told, str):
        return Choice(mode={"required": "any"}.get(told, told))
    if told.get("type") == "allowed_tools":
        inner = told["allowed_tools"]
        names = tuple(tool["function"]["name"] for tool in inner["tools"])
        return Choice(mode={"required": "any"}.get(inner["mode"], inner["mode"]), names=names)
    return Choice(mode="any", names=(told["function"]["name"],))


def _format(told: dict[str, Any] | None) -> Format | None:
    if not told or told["type"] == "text":
        return None
    inner = told.get("json_schema") or {}
    return spelling.format_of(inner.get("schema"), name=inner.get("name") or "",
                            strict=inner.get("strict"))  # fmt: skip


def _stop(told: Any) -> tuple[str, ...]:
    return (told,) if isinstance(told, str) else tuple(told or ())


def _reasoning(body: dict[str, Any]) -> Reasoning | None:
    inner = body.get("reasoning") or {}
    effort = body.get("reasoning_effort") or inner.get("effort")
    if effort == "none":
        return Reasoning(is_off=True)
    if effort:
        return Reasoning(effort=effort)
    if inner.get("max_tokens"):
        return Reasoning(budget=inner["max_tokens"])
    marks = [inner.get("enabled"), body.get("enable_thinking")]
    marks.append({"enabled": True, "disabled": False}.get((body.get("thinking") or {}).get("type")))
    told = [mark for mark in marks if mark is not None]
    return Reasoning(is_off=not told[0]) if told else None
