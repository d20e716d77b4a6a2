"""Reads the tools of a request in Anthropic's shape (pure)."""

import re
from collections.abc import Mapping
from typing import Any, Final

from routing.conversation import Tool, ToolChoice, WebSearch
from routing.dialects import fields
from routing.errors import Code
from routing.translators.anthropic_messages import parts_in

_DATE: Final = re.compile(r"_\d{8}$")
_MODES: Final = {"auto": "auto", "any": "required", "tool": "required", "none": "none"}


class Tools:
    """Collects tools; notes what the vocabulary has no word for."""

    __slots__ = ("dropped", "tools", "web_search")

    def __init__(self) -> None:
        self.tools: list[Tool] = []
        self.web_search: WebSearch | None = None
        self.dropped: list[str] = []

    def read(self, entry: Any, param: str) -> None:
        """Read one tool. Raises: RelayError (400) naming the field."""
        tool = fields.entry(entry, param)
        kind = fields.text(tool, "type", f"{param}.") or "custom"
        name = _DATE.sub("", kind)
        if name == "custom":
            self.tools.append(self._function(tool, param))
        elif name == "web_search":
            self.web_search = _web_search(tool, param)
        elif name.startswith("tool_search_tool"):
            # It finds tools whose loading is deferred; elsewhere all are loaded.
            self.dropped.append("tool_search")
        else:
            fields.refuse(
                Code.UNSUPPORTED,
                f"`{param}.type` names a tool that only Anthropic's models know. Describe it as "
                "a tool of your own with a schema, or choose a model whose vendor speaks this "
                "protocol.",
                f"{param}.type",
            )

    def _function(self, tool: Mapping[str, Any], param: str) -> Tool:
        name = fields.text(tool, "name", f"{param}.")
        if not name:
            fields.refuse_missing(f"{param}.name", "the name of the tool")
        if tool.get("defer_loading"):
            self.dropped.append("defer_loading")
        if tool.get("input_examples"):
            self.dropped.append("input_examples")
        return Tool(
            name=name,
            description=fields.text(tool, "description", f"{param}.") or "",
            schema=fields.mapping(tool, "input_schema", f"{param}.") or None,
            is_strict=fields.flag(tool, "strict") if "strict" in tool else None,
            cache=parts_in.cache(tool, param),
        )


def _web_search(tool: Mapping[str, Any], param: str) -> WebSearch:
    where = f"{param}."
    location = fields.mapping(tool, "user_location", where)
    known = ("country", "region", "city", "timezone")
    told = {name: location[name] for name in known if type(location.get(name)) is str}
    return WebSearch(
        location=told or None,
        allowed_domains=texts(tool, "allowed_domains", where),
        blocked_domains=texts(tool, "blocked_domains", where),
        uses_max=fields.integer(tool, "max_uses", prefix=where),
    )


def texts(body: Mapping[str, Any], name: str, prefix: str = "") -> tuple[str, ...]:
    """Read an array of strings."""
    found = fields.array(body, name, prefix)
    for index, one in enumerate(found):
        if type(one) is not str:
            fields.refuse_type(one, "a string", f"{prefix}{name}[{index}]")
    return tuple(found)


def choice(body: Mapping[str, Any]) -> tuple[ToolChoice | None, bool | None]:
    """Read which tools may or must be called, and whether several at once."""
    told = fields.mapping(body, "tool_choice")
    if not told:
        return None, None
    kind = fields.text(told, "type", "tool_choice.")
    if kind not in _MODES:
        fields.refuse(
            Code.INVALID_VALUE,
            "`tool_choice.type` must be auto, any, tool or none. Change it.",
            "tool_choice.type",
        )
    is_serial = fields.flag(told, "disable_parallel_tool_use")
    name = fields.text(told, "name", "tool_choice.") or ""
    if kind == "tool" and not name:
        fields.refuse_missing("tool_choice.name", "the name of the tool")
    names = (name,) if kind == "tool" else ()
    return ToolChoice(mode=_MODES[kind], names=names), False if is_serial else None
