"""A Gemini client's generateContent in our words (pure)."""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from routing.conversation import Request, Text, Tool, ToolChoice, WebSearch
from routing.dialects import fields
from routing.errors import Code
from routing.translators.gemini_generate import config_in, media_in, schema_in, spelling
from routing.translators.gemini_generate.contents_in import Contents

_KNOWN: Final = frozenset(
    {
        *("contents", "systemInstruction", "system_instruction", "model", "tools"),
        *("generationConfig", "generation_config", "toolConfig", "tool_config"),
        *("serviceTier", "service_tier"),
    }
)
_MODES: Final = {"": "auto", "MODE_UNSPECIFIED": "auto", "AUTO": "auto", "VALIDATED": "auto",
                 "ANY": "required", "NONE": "none"}  # fmt: skip
_SEARCHES: Final = ("googleSearch", "googleSearchRetrieval")


def decode_request(body: Mapping[str, Any], *, seal_key: bytes) -> Request:
    """Read a request. Whether it is a stream stands in the path: the caller sets `is_stream`.

    Raises: RelayError (400) naming the field.
    """
    dropped: dict[str, None] = {
        spelling.safe(name): None
        for name, value in body.items()
        if name not in _KNOWN and value not in (None, "", [], {}, False)
    }
    config = spelling.mapping(body, "generationConfig")
    wishes = config_in.read(config, dropped)
    reader = Contents(
        seal_key=seal_key, detail=media_in.detail(spelling.get(config, "mediaResolution"))
    )
    for index, content in enumerate(fields.array(body, "contents")):
        reader.take(content, f"contents[{index}]")
    tools, search = _tools(body, dropped)
    turns = reader.turns()
    return Request(
        instructions=_instructions(body),
        turns=turns,
        tools=tools,
        web_search=search,
        tool_choice=_choice(body, dropped),
        service_tier=_tier(body),
        dropped=tuple(dropped | reader.dropped),
        **wishes,
    )


def _instructions(body: Mapping[str, Any]) -> tuple[Text, ...]:
    told = spelling.get(body, "systemInstruction")
    if told is None:
        return ()
    if type(told) is str:
        return (Text(text=told),) if told else ()
    parts = fields.entry(told, "systemInstruction").get("parts")
    if type(parts) is dict:
        parts = [parts]
    found = []
    for index, part in enumerate(fields.array({"parts": parts}, "parts", "systemInstruction.")):
        where = f"systemInstruction.parts[{index}]"
        text = spelling.get(fields.entry(part, where), "text")
        if text is None and part:
            fields.refuse(Code.UNSUPPORTED, f"`{where}` must be text. Send it in a turn.", where)
        if text is not None and type(text) is not str:
            fields.refuse_type(text, "a string", f"{where}.text")
        if text:
            found.append(Text(text=text))
    return tuple(found)


def _tools(
    body: Mapping[str, Any], dropped: dict[str, None]
) -> tuple[tuple[Tool, ...], WebSearch | None]:
    tools: list[Tool] = []
    search = None
    for index, told in enumerate(fields.array(body, "tools")):
        where = f"tools[{index}]"
        for key, value in fields.entry(told, where).items():
            name = spelling.camel(key)
            if value is None:
                continue
            if name == "functionDeclarations":
                declared = spelling.array(told, name, f"{where}.")
                tools += [
                    _tool(one, f"{where}.{name}[{i}]", dropped) for i, one in enumerate(declared)
                ]
            elif name in _SEARCHES:
                search = _search(spelling.mapping(told, name, f"{where}."), name, dropped)
            else:
                _refuse_server_tool(f"{where}.{spelling.safe(key)}")
    return tuple(tools), search


def _refuse_server_tool(param: str) -> NoReturn:
    fields.refuse(
        Code.UNSUPPORTED,
        f"`{param}` is a tool that Google runs for its own models only. Leave it out, or choose "
        "a model of Google.",
        param,
    )


def _tool(told: Any, where: str, dropped: dict[str, None]) -> Tool:
    declared = fields.entry(told, where)
    prefix = f"{where}."
    name = spelling.text(declared, "name", prefix)
    if not name:
        fields.refuse_missing(f"{prefix}name", "the name of the function")
    for word in ("response", "responseJsonSchema", "behavior"):
        if spelling.get(declared, word, prefix) is not None:
            dropped[f"tools.functionDeclarations.{word}"] = None
    schema: Any = spelling.mapping(declared, "parametersJsonSchema", prefix)
    if not schema:
        parameters = fields.mapping(declared, "parameters", prefix)
        schema = schema_in.from_openapi(parameters, f"{prefix}parameters")
    return Tool(
        name=name,
        description=spelling.text(declared, "description", prefix),
        schema=schema or {"type": "object", "properties": {}},
    )


def _search(told: dict[str, Any], name: str, dropped: dict[str, None]) -> WebSearch:
    where = f"tools.{name}."
    for key, value in told.items():
        if value is not None and spelling.camel(key) != "excludeDomains":
            dropped[f"{where}{spelling.safe(key)}"] = None
    return WebSearch(blocked_domains=spelling.texts(told, "excludeDomains", where))


def _choice(body: Mapping[str, Any], dropped: dict[str, None]) -> ToolChoice | None:
    config = spelling.mapping(body, "toolConfig")
    for key, value in config.items():
        if spelling.camel(key) != "functionCallingConfig" and value is not None:
            dropped[f"toolConfig.{spelling.safe(key)}"] = None
    where = "toolConfig.functionCallingConfig."
    told = spelling.mapping(config, "functionCallingConfig", "toolConfig.")
    if not told:
        return None
    mode = spelling.text(told, "mode", where).upper()
    if mode not in _MODES:
        fields.refuse(
            Code.INVALID_VALUE,
            f"`{where}mode` must be AUTO, ANY, NONE or VALIDATED. Change the mode.",
            f"{where}mode",
        )
    return ToolChoice(mode=_MODES[mode], names=spelling.texts(told, "allowedFunctionNames", where))


def _tier(body: Mapping[str, Any]) -> str:
    tier = spelling.text(body, "serviceTier").lower().removeprefix("service_tier_")
    return "" if tier == "unspecified" else tier
