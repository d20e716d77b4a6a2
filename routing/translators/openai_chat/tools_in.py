"""What a client lets the model do: tools, which of them, and the form of the answer (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from routing.conversation import OutputFormat, Tool, ToolChoice, WebSearch
from routing.dialects import fields
from routing.readers.answer import mapping, word
from routing.translators.openai_chat.parts_in import cache_mark
from routing.translators.openai_options import refuse_value

_MODES: Final[Mapping[str, str]] = {
    "auto": "auto",
    "none": "none",
    "required": "required",
    "any": "required",  # Mistral
}


def tools(body: Mapping[str, Any]) -> tuple[Tool, ...]:
    """Read the tools, and the `functions` of before 2024. Raises: RelayError (400)."""
    found = []
    for index, told in enumerate(fields.array(body, "tools")):
        param = f"tools[{index}]"
        found.append(_tool(fields.entry(told, param), param))
    for index, told in enumerate(fields.array(body, "functions")):
        param = f"functions[{index}]"
        found.append(_function(fields.entry(told, param), param, None))
    return tuple(found)


def _tool(told: Mapping[str, Any], param: str) -> Tool:
    kind = told.get("type")
    if kind == "custom":
        return _custom(fields.entry(told.get("custom"), f"{param}.custom"), f"{param}.custom.")
    if kind not in (None, "function"):
        refuse_value(f"{param}.type", "function, custom")
    return _function(fields.entry(told.get("function"), f"{param}.function"), param, told)


def _custom(told: Mapping[str, Any], prefix: str) -> Tool:
    """Read a tool that takes free text; a grammar is told in words, too, for other vendors."""
    description = fields.text(told, "description", prefix) or ""
    form = fields.mapping(told, "format", prefix)
    grammar = None
    if form.get("type") == "grammar":
        inner = fields.mapping(form, "grammar", f"{prefix}format.")
        grammar = {name: word(inner.get(name)) for name in ("syntax", "definition")}
        if not all(grammar.values()):
            fields.refuse_missing(f"{prefix}format.grammar", "the grammar and its syntax")
        description += (
            f"\n\nThe input must follow this grammar ({grammar['syntax']}):\n"
            f"{grammar['definition']}"
        )
    return Tool(
        name=_name(told, prefix.removesuffix(".")),
        description=description.lstrip(),
        is_custom=True,
        grammar=grammar,
    )


def _function(function: Mapping[str, Any], param: str, outer: Mapping[str, Any] | None) -> Tool:
    where = param if outer is None else f"{param}.function"
    strict = function.get("strict")
    if strict is not None and type(strict) is not bool:
        fields.refuse_type(strict, "true or false", f"{where}.strict")
    schema = fields.mapping(function, "parameters", f"{where}.")
    return Tool(
        name=_name(function, where),
        description=fields.text(function, "description", f"{where}.") or "",
        schema=schema or None,
        is_strict=strict,
        cache=cache_mark(outer, f"{param}.") if outer else None,
    )


def _name(owner: Mapping[str, Any], where: str) -> str:
    name = fields.text(owner, "name", f"{where}.")
    if not name:
        fields.refuse_missing(f"{where}.name", "the name of the tool")
    return name


def tool_choice(body: Mapping[str, Any]) -> ToolChoice | None:
    """Read which tools must or may be called; None: not said."""
    value, param = body.get("tool_choice"), "tool_choice"
    if value is None:
        value, param = body.get("function_call"), "function_call"
        if type(value) is dict:
            return ToolChoice(mode="required", names=(_name(value, param),))
    if value is None:
        return None
    if type(value) is str:
        if value not in _MODES:
            refuse_value(param, ", ".join(_MODES))
        return ToolChoice(mode=_MODES[value])
    return _named_choice(fields.entry(value, param))


def _named_choice(value: Mapping[str, Any]) -> ToolChoice:
    if value.get("type") == "allowed_tools":
        param = "tool_choice.allowed_tools"
        allowed = fields.entry(value.get("allowed_tools"), param)
        mode = allowed.get("mode")
        if mode not in ("auto", "required"):
            refuse_value(f"{param}.mode", "auto, required")
        names = tuple(
            _chosen(fields.entry(tool, f"{param}.tools[{index}]"), f"{param}.tools[{index}]")
            for index, tool in enumerate(fields.array(allowed, "tools", f"{param}."))
        )
        return ToolChoice(mode=mode, names=names)
    return ToolChoice(mode="required", names=(_chosen(value, "tool_choice"),))


def _chosen(tool: Mapping[str, Any], param: str) -> str:
    # Hugging Face takes a named choice without its `type` (recorded 2026).
    kind = tool.get("type", "function")
    if kind not in ("function", "custom"):
        refuse_value(f"{param}.type", "function, custom, allowed_tools")
    return _name(fields.entry(tool.get(kind), f"{param}.{kind}"), f"{param}.{kind}")


def web_search(body: Mapping[str, Any]) -> WebSearch | None:
    """Read a wish for plain web search, in OpenAI's words or as OpenRouter's plugin."""
    plugin = any(mapping(told).get("id") == "web" for told in fields.array(body, "plugins"))
    if body.get("web_search_options") is None:
        return WebSearch() if plugin else None
    options = fields.mapping(body, "web_search_options")
    location = fields.mapping(options, "user_location", "web_search_options.")
    place = location.get("approximate", location)
    known = {
        name: value
        for name, value in mapping(place).items()
        if name in ("country", "region", "city", "timezone") and type(value) is str
    }
    return WebSearch(context_size=word(options.get("search_context_size")), location=known or None)


def output_format(body: Mapping[str, Any]) -> OutputFormat | None:
    """Read `response_format`; None: prose."""
    told = fields.mapping(body, "response_format")
    kind = told.get("type")
    if not told or kind == "text":
        return None
    if kind == "json_object":
        return OutputFormat()
    if kind != "json_schema":
        refuse_value("response_format.type", "text, json_object, json_schema")
    param = "response_format.json_schema"
    described = fields.entry(told.get("json_schema"), param)
    strict = described.get("strict")
    if strict is not None and type(strict) is not bool:
        fields.refuse_type(strict, "true or false", f"{param}.strict")
    return OutputFormat(
        schema=fields.mapping(described, "schema", f"{param}."),
        name=fields.text(described, "name", f"{param}.") or "",
        description=fields.text(described, "description", f"{param}.") or "",
        is_strict=strict,
    )
