"""Read a request of Gemini generateContent; keys may be in camel or snake case."""

import re
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
    "temperature": "temperature", "topP": "top_p", "topK": "top_k", "seed": "seed",
    "frequencyPenalty": "frequency_penalty", "presencePenalty": "presence_penalty",
    "candidateCount": "n",
}  # fmt: skip
# What a client may name freely: no key in there is the protocol's own.
FREE = ("args", "response", "parameters", "parametersJsonSchema", "responseSchema",
        "responseJsonSchema")  # fmt: skip


def camel(value: Any) -> Any:
    """Return the body with all keys of the protocol in camel case."""
    if isinstance(value, list):
        return [camel(part) for part in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, inner in value.items():
        name = re.sub(r"_([a-z])", lambda m: m.group(1).upper(), key)
        found[name] = inner if name in FREE else camel(inner)
    return found


def read(told: dict[str, Any], *, is_stream: bool = False) -> Request:
    body = camel(told)
    config = body.get("generationConfig") or {}
    tools = body.get("tools") or []
    declared = [d for tool in tools for d in tool.get("functionDeclarations") or []]
    turns = [
        ({"model": "assistant"}.get(c.get("role", "user"), "user"), _parts(c.get("parts") or []))
        for c in body["contents"]
    ]
    instructions = (body.get("systemInstruction") or {}).get("parts") or []
    sampling = spelling.sampling(config, SAMPLING)
    return Request(
        system=tuple(part["text"] for part in instructions if part.get("text")),
        turns=spelling.turns_of(turns),
        tools=tuple(map(_tool, declared)),
        choice=_choice((body.get("toolConfig") or {}).get("functionCallingConfig")),
        format=_format(config),
        max_tokens=config.get("maxOutputTokens"),
        sampling={k: v for k, v in sampling.items() if (k, v) != ("n", 1)},
        stop=tuple(config.get("stopSequences") or ()),
        reasoning=_reasoning(config.get("thinkingConfig") or {}),
        is_stream=is_stream,
        searches=any(tool.get("googleSearch") == {} for tool in tools),
        modalities=tuple(m.lower() for m in config.get("responseModalities") or [] if m != "TEXT"),
        server_tools=tuple(_server_tools(tools)),
    )


def _server_tools(tools: list[dict[str, Any]]) -> list[str]:
    names = [(name, value) for tool in tools for name, value in tool.items()]
    return [n for n, v in names if n != "functionDeclarations" and (n, v) != ("googleSearch", {})]


def _parts(told: list[dict[str, Any]]) -> list[Any]:
    """Read parts; the seal of a text stands behind it."""
    found = []
    for part in told:
        read = _part(part)
        found += [read] if read is not None else []
        if isinstance(read, Text | Media) and part.get("thoughtSignature"):
            found.append(Thought(seal=part["thoughtSignature"]))
    return found


def _part(told: dict[str, Any]) -> Any:  # noqa: PLR0911 - one line for each kind
    seal = told.get("thoughtSignature") or ""
    match told:
        case {"functionCall": call}:
            return Call(id=call.get("id") or "", name=call["name"],
                        arguments=call.get("args") or {}, seal=seal)  # fmt: skip
        case {"functionResponse": response}:
            return _result(response)
        case {"inlineData": data}:
            return Media(kind=_kind(data["mimeType"]), mime=data["mimeType"],
                         data=data["data"].rstrip("="))  # fmt: skip
        case {"fileData": data}:
            return _file(data)
        case {"text": text, "thought": True}:
            return Thought(text=text, seal=seal)
        case {"text": ""}:
            return Thought(seal=seal) if seal else None
        case {"text": text}:
            return Text(text=text)
    (kind, *_) = [key for key in told if key != "thoughtSignature"] or ["empty"]
    return Opaque(kind=kind)


def _result(response: dict[str, Any]) -> Result:
    text, is_error = spelling.result_object(response.get("response"))
    rest = _parts(response.get("parts") or [])
    return Result(id=response.get("id") or "", name=response["name"],
                  parts=(Text(text=text), *rest), is_error=is_error)  # fmt: skip


def _kind(mime: str) -> str:
    family = mime.partition("/")[0]
    return family if family in ("image", "audio", "video") else "document"


def _file(data: dict[str, Any]) -> Any:
    uri, mime = data["fileUri"], data.get("mimeType") or ""
    if "/files/" in uri or not uri.startswith("http"):
        return Opaque(kind="file by handle")
    return Media(kind=_kind(mime) if mime else "document", mime=mime, url=uri)


def _tool(declared: dict[str, Any]) -> Tool:
    told = declared.get("parametersJsonSchema") or declared.get("parameters")
    return Tool(
        name=declared["name"],
        description=declared.get("description") or "",
        schema=spelling.tool_schema(told),
    )


def _choice(told: dict[str, Any] | None) -> Choice | None:
    if not told or "mode" not in told:
        return None
    mode = {"VALIDATED": "auto"}.get(told["mode"], told["mode"].lower())
    return Choice(mode=mode, names=tuple(told.get("allowedFunctionNames") or ()))


def _format(config: dict[str, Any]) -> Format | None:
    told = config.get("responseJsonSchema") or config.get("responseSchema")
    if told is None and config.get("responseMimeType") != "application/json":
        return None
    return spelling.format_of(told)


def _reasoning(told: dict[str, Any]) -> Reasoning | None:
    shown = told.get("includeThoughts")
    budget, level = told.get("thinkingBudget"), (told.get("thinkingLevel") or "").lower()
    if budget == 0:
        return Reasoning(is_off=True, is_shown=shown)
    if not level and budget is None and shown is None:
        return None
    return Reasoning(effort=level, budget=None if budget == -1 else budget, is_shown=shown)
