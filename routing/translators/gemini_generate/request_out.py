"""Our request as generateContent for a Gemini endpoint (pure)."""

import urllib.parse
from collections.abc import Mapping
from typing import Any, Final

from routing.conversation import Request, Tool, ToolChoice, WebSearch
from routing.dialects.base import Outbound, Quirks
from routing.translators.base import Encoded, Target
from routing.translators.drops import Drops
from routing.translators.gemini_generate import config_out, schema_out
from routing.translators.gemini_generate.contents_out import ContentsWriter
from routing.translators.gemini_generate.parts_out import PartWriter
from routing.translators.gemini_generate.writing import Json, dump
from routing.translators.names import Names

# The characters and the length of names ([mem], 2026-11).
_LEGAL: Final = "a-zA-Z0-9_.:-"
_CUSTOM_SCHEMA: Final = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
}
_TIERS: Final = ("flex", "priority")


def encode_request(request: Request, target: Target) -> Encoded:
    """Write a request. Raises: RelayError (400) naming the client's need that has no word."""
    drops = Drops(request, "Google's generateContent")
    names = Names((tool.name for tool in request.tools), legal=_LEGAL, first="a-zA-Z_")
    parts = PartWriter(target.quirks, drops, names)
    contents = ContentsWriter(parts, drops).write(request.turns)
    instructions = [{"text": text.text} for text in request.instructions if text.text]
    if not contents and instructions:  # instructions alone: a model needs something to answer
        contents, instructions = [{"role": "user", "parts": instructions}], []
    if not contents:
        drops.refuse_empty()
    body: Json = {"contents": contents}
    if instructions:
        body["systemInstruction"] = {"parts": instructions}
    writer = _ToolWriter(request, target.quirks, drops, names)
    body |= writer.write()
    config = config_out.write(request, target, drops, details=tuple(parts.details))
    if config:
        body["generationConfig"] = config
    if request.service_tier in _TIERS:
        body["serviceTier"] = request.service_tier
    elif request.service_tier not in ("standard", "default", "auto"):
        drops.drop_if("service_tier", given=request.service_tier)
    _drop_rest(request, drops)
    return Encoded(
        outbound=_outbound(body, request, target),
        dropped=drops.names,
        tool_names=names.back,
    )


def _outbound(body: Json, request: Request, target: Target) -> Outbound:
    name = urllib.parse.quote(target.upstream_name.removeprefix("models/"), safe="/:@")
    operation = "streamGenerateContent" if request.is_stream else "generateContent"
    query = (target.quirks.extra_query, "alt=sse" if request.is_stream else "")
    return Outbound(
        path=f"models/{name}:{operation}",
        body=dump(body),
        headers={"content-type": "application/json"},
        query="&".join(part for part in query if part),
    )


def _drop_rest(request: Request, drops: Drops) -> None:
    drops.drop_if("verbosity", given=request.verbosity)
    if request.cache_key:
        drops.note("prompt_cache_key")
    marked = [text.cache for text in request.instructions] + [tool.cache for tool in request.tools]
    if request.cache is not None or any(mark is not None for mark in marked):
        drops.note("cache_control")


class _ToolWriter:
    def __init__(self, request: Request, quirks: Quirks, drops: Drops, names: Names) -> None:
        self._request = request
        self._quirks = quirks
        self._drops = drops
        self._names = names

    def write(self) -> Json:
        """Write `tools` and `toolConfig`."""
        request, choice = self._request, self._request.tool_choice
        offered = list(request.tools)
        if choice is not None and choice.mode == "auto" and choice.names:
            # AUTO takes no names: only these are offered.
            offered = [tool for tool in offered if tool.name in choice.names]
        tools: list[Json] = []
        if offered:
            declared = [self._declared(tool) for tool in offered]
            tools.append({"functionDeclarations": declared})
        if request.web_search is not None:
            tools.append({"googleSearch": self._search(request.web_search)})
        written: Json = {"tools": tools} if tools else {}
        config = self._config(offered, choice) if offered else None
        if config is not None:
            written["toolConfig"] = {"functionCallingConfig": config}
        if offered and request.is_parallel is False:
            self._drops.drop("parallel_tool_calls")
        return written

    def _declared(self, tool: Tool) -> Json:
        told: Json = {"name": self._names.of(tool.name), "description": tool.description}
        schema: Mapping[str, Any] = tool.schema or {"type": "object", "properties": {}}
        if tool.is_custom:
            self._drops.note("tools[].custom")  # it becomes a function of one text
            schema = _CUSTOM_SCHEMA
        if self._quirks.takes_json_schema_tools:
            return {**told, "parametersJsonSchema": schema}
        downgraded, lost = schema_out.to_openapi(schema, f"tools.{told['name']}.parameters")
        for word in lost:
            self._drops.drop(
                f"tools[].parameters.{word}" if word.isalnum() else "tools[].parameters"
            )
        # An object without properties is refused: such a function has no parameters.
        return {**told, "parameters": downgraded} if downgraded.get("properties") else told

    def _config(self, offered: list[Tool], choice: ToolChoice | None) -> Json | None:
        is_strict = any(tool.is_strict for tool in offered)
        mode = choice.mode if choice is not None else ""
        if mode == "none":
            return {"mode": "NONE"}
        if mode == "required":
            names = [self._names.of(name) for name in choice.names] if choice else []
            return {"mode": "ANY", "allowedFunctionNames": names} if names else {"mode": "ANY"}
        if is_strict and self._quirks.takes_strict:
            return {"mode": "VALIDATED"}
        if is_strict:
            self._drops.drop("tools[].strict")
        return {"mode": "AUTO"} if mode else None

    def _search(self, search: WebSearch) -> Json:
        drops = self._drops
        if search.allowed_domains:
            drops.refuse("web_search.allowed_domains")
        if search.location:
            drops.refuse("web_search.user_location")
        if search.uses_max is not None:
            drops.refuse("web_search.max_uses")
        drops.drop_if("web_search.search_context_size", given=search.context_size)
        excluded = list(search.blocked_domains)
        return {"excludeDomains": excluded} if excluded else {}
