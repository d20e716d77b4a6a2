"""Tools of a Responses request: what the client offers, and how it wants calls told (pure)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from routing.conversation import Tool, ToolChoice, WebSearch
from routing.dialects import fields
from routing.errors import Code
from routing.translators.openai_responses.client_tools import BY_TOOL, Kind

_SEARCHES: Final = frozenset(
    {
        "web_search",
        "web_search_2025_08_26",
        "web_search_preview",
        "web_search_preview_2025_03_11",
    }
)
_PLACE: Final = ("country", "region", "city", "timezone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a function is called in the client's own request."""

    name: str
    namespace: str = ""
    is_custom: bool = False
    kind: Kind | None = None


@dataclass(slots=True)
class Offered:
    """All that the client offers."""

    tools: dict[str, Tool] = field(default_factory=dict)  # by name, the first of each
    origins: dict[str, Origin] = field(default_factory=dict)
    web_search: WebSearch | None = None
    makes_images: bool = False
    dropped: list[str] = field(default_factory=list)

    def name_of(self, name: str, namespace: str) -> str:
        """Return the function's name here for a call in the history.

        A tool that OpenAI loaded by itself has its own name as the namespace (recorded 2026-06).
        """
        full = qualified(name, namespace)
        return full if full in self.tools or name not in self.tools else name


def qualified(name: str, namespace: str) -> str:
    """Return one name for a tool in a namespace."""
    if not namespace:
        return name
    return f"{namespace}{name}" if namespace.endswith("__") else f"{namespace}__{name}"


def read(body: Mapping[str, Any]) -> Offered:
    """Read the tools, also those that were loaded on the way. Raises: RelayError (400)."""
    offered = Offered()
    uses_max = fields.integer(body, "max_tool_calls")
    for tool, param in _listed(body):
        _take(tool, param, offered, uses_max)
    return offered


def _listed(body: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    yield from _entries(body, "tools", "")
    items = body.get("input")
    for index, item in enumerate(items if type(items) is list else ()):
        if type(item) is dict and item.get("type") in ("additional_tools", "tool_search_output"):
            yield from _entries(item, "tools", f"input[{index}].")


def _entries(
    body: Mapping[str, Any], name: str, prefix: str
) -> Iterator[tuple[dict[str, Any], str]]:
    for index, tool in enumerate(fields.array(body, name, prefix)):
        param = f"{prefix}{name}[{index}]"
        yield fields.entry(tool, param), param


def _take(tool: dict[str, Any], param: str, offered: Offered, uses_max: int | None) -> None:
    kind = fields.text(tool, "type", f"{param}.")
    if kind in ("function", "custom"):
        _add(tool, param, offered)
    elif kind == "namespace":
        namespace = _name(tool, param)
        for inner, where in _entries(tool, "tools", f"{param}."):
            _add(inner, where, offered, namespace)
    elif kind in BY_TOOL:
        _add_kind(BY_TOOL[kind], tool, param, offered)
    elif kind in _SEARCHES:
        offered.web_search = _search(tool, param, uses_max, offered)
    elif kind == "image_generation":
        offered.makes_images = True
    elif kind is None:
        fields.refuse_missing(f"{param}.type", "the tool's type")
    else:
        fields.refuse(
            Code.UNSUPPORTED,
            f"`{param}.type` names a tool that runs at OpenAI, but this model is another "
            "vendor's. Remove the tool, or choose a model of OpenAI.",
            f"{param}.type",
        )


def _name(tool: dict[str, Any], param: str) -> str:
    name = fields.text(tool, "name", f"{param}.")
    return name or fields.refuse_missing(f"{param}.name", "the tool's name")


def _add(tool: dict[str, Any], param: str, offered: Offered, namespace: str = "") -> None:
    own = _name(tool, param)
    name = qualified(own, namespace)
    is_custom = tool.get("type") == "custom"
    read_one = _custom if is_custom else _function
    if name not in offered.tools:
        offered.tools[name] = read_one(tool, param, name)
        offered.origins[name] = Origin(name=own, namespace=namespace, is_custom=is_custom)


def _function(tool: dict[str, Any], param: str, name: str) -> Tool:
    strict = tool.get("strict")
    if strict is not None and type(strict) is not bool:
        fields.refuse_type(strict, "true or false", f"{param}.strict")
    return Tool(
        name=name,
        description=fields.text(tool, "description", f"{param}.") or "",
        schema=fields.mapping(tool, "parameters", f"{param}.") or None,
        is_strict=strict,  # None: strict only where the schema allows it (SDK 3.54, 2026-11)
    )


def _custom(tool: dict[str, Any], param: str, name: str) -> Tool:
    """Read a tool that takes free text; a grammar is told in words, too, for other vendors."""
    description = fields.text(tool, "description", f"{param}.") or ""
    form = fields.mapping(tool, "format", f"{param}.")
    grammar = None
    if form.get("type") == "grammar":
        prefix = f"{param}.format."
        definition = fields.text(form, "definition", prefix)
        syntax = fields.choice(form, "syntax", ("lark", "regex"), prefix)
        if not definition or not syntax:
            fields.refuse_missing(f"{prefix}definition", "the grammar and its syntax")
        grammar = {"syntax": syntax, "definition": definition}
        description += f"\n\nThe input must follow this grammar ({syntax}):\n{definition}"
    return Tool(name=name, description=description.lstrip(), is_custom=True, grammar=grammar)


def _add_kind(kind: Kind, tool: dict[str, Any], param: str, offered: Offered) -> None:
    if kind.schema is None and tool.get("execution") != "client":
        return  # OpenAI would search its client's tools: all of them are offered at once
    if kind.tool in offered.tools:
        return
    schema = kind.schema or fields.mapping(tool, "parameters", f"{param}.") or None
    description = fields.text(tool, "description", f"{param}.") or kind.description
    offered.tools[kind.tool] = Tool(name=kind.tool, description=description, schema=schema)
    offered.origins[kind.tool] = Origin(name=kind.tool, kind=kind)


def _search(tool: dict[str, Any], param: str, uses_max: int | None, offered: Offered) -> WebSearch:
    prefix = f"{param}."
    place = fields.mapping(tool, "user_location", prefix)
    filters = fields.mapping(tool, "filters", prefix)
    if tool.get("external_web_access") is False:
        offered.dropped.append("tools[].external_web_access")
    return WebSearch(
        context_size=fields.choice(tool, "search_context_size", ("low", "medium", "high"), prefix)
        or "",
        location={
            name: value
            for name in _PLACE
            if (value := fields.text(place, name, f"{prefix}user_location."))
        }
        or None,
        allowed_domains=_domains(filters, "allowed_domains", prefix),
        blocked_domains=_domains(filters, "blocked_domains", prefix),
        uses_max=uses_max,
    )


def _domains(filters: dict[str, Any], name: str, prefix: str) -> tuple[str, ...]:
    given = fields.array(filters, name, f"{prefix}filters.")
    for index, domain in enumerate(given):
        if type(domain) is not str:
            fields.refuse_type(domain, "a string", f"{prefix}filters.{name}[{index}]")
    return tuple(given)


def choice(body: Mapping[str, Any], offered: Offered) -> ToolChoice | None:
    """Read which tools may or must be called. Raises: RelayError (400)."""
    given = body.get("tool_choice")
    if given is None:
        return None
    if type(given) is str:
        mode = fields.choice(body, "tool_choice", ("auto", "none", "required"))
        return ToolChoice(mode=mode or "auto")
    found = fields.mapping(body, "tool_choice")
    if found.get("type") == "allowed_tools":
        return _allowed(found, offered)
    name = _chosen(found, "tool_choice", offered)
    if name is not None:
        return ToolChoice(mode="required", names=(name,))
    offered.dropped.append("tool_choice")
    return None


def _allowed(found: dict[str, Any], offered: Offered) -> ToolChoice:
    mode = fields.choice(found, "mode", ("auto", "required"), "tool_choice.") or "auto"
    names = []
    may_search = False
    for index, tool in enumerate(fields.array(found, "tools", "tool_choice.")):
        param = f"tool_choice.tools[{index}]"
        entry = fields.entry(tool, param)
        name = _chosen(entry, param, offered)
        may_search = may_search or entry["type"] in _SEARCHES
        if name is not None:
            names.append(name)
    if not may_search:
        offered.web_search = None
    return ToolChoice(mode=mode if names else "none", names=tuple(names))


def _chosen(found: dict[str, Any], param: str, offered: Offered) -> str | None:
    """Return the name of a chosen function; None for a tool of the vendor."""
    kind = fields.text(found, "type", f"{param}.")
    if kind in ("function", "custom"):
        namespace = fields.text(found, "namespace", f"{param}.") or ""
        name = offered.name_of(_name(found, param), namespace)
    elif kind in BY_TOOL:
        name = kind
    elif kind in _SEARCHES or kind in ("image_generation", "mcp"):
        return None
    else:
        fields.refuse(
            Code.INVALID_VALUE,
            f"`{param}.type` is no known kind of tool. Choose a function that `tools` names.",
            f"{param}.type",
        )
    if name not in offered.tools:
        fields.refuse(
            Code.INVALID_VALUE,
            f"`{param}` names a tool that is not among `tools`. Choose one that is.",
            param,
        )
    return name
