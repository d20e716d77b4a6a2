"""A request of ours as a chat completion for one of the many who speak it (pure)."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from routing import seals
from routing.conversation import Request, Tool, ToolChoice, WebSearch
from routing.dialects.base import Outbound, Quirks
from routing.dialects.openai import JSON
from routing.translators.base import Encoded, Target
from routing.translators.drops import Drops
from routing.translators.names import Names
from routing.translators.openai_chat import options_out
from routing.translators.openai_chat.messages_out import Messages, cache_control

WHERE: Final = "OpenAI's chat completions"
# OpenRouter's own: they mean nothing elsewhere.
_OPENROUTER_ONLY: Final = frozenset(
    {
        "transforms", "preset", "usage", "debug", "trace", "session_id", "image_config",
        "stop_server_tools_when",
    }
)  # fmt: skip
# What is ours to say or to do, or billed in a way of its own: never taken over from a client's
# request. A route is chosen here, among our own vendors, at our prices.
_NEVER: Final = frozenset(
    {
        "provider", "models", "route", "store", "metadata", "moderation", "search_parameters",
        "enable_search", "background", "deferred", "best_of", "prompt", "suffix", "echo",
    }
)  # fmt: skip


def encode_request(request: Request, target: Target) -> Encoded:
    """Write a request. Raises: RelayError (400) naming the client's need that has no word."""
    quirks = target.quirks
    drops = Drops(request, WHERE)
    names = Names((tool.name for tool in request.tools), legal="a-zA-Z0-9_-")
    form, hint = options_out.output_format(request.output_format, quirks, drops)
    body: dict[str, Any] = {
        "model": target.upstream_name,
        "messages": Messages(quirks=quirks, names=names, drops=drops).of(request, more=hint),
        **_tools(request, names, quirks, drops),
        **({"response_format": form} if form else {}),
        **options_out.reasoning(request, target, drops),
        **options_out.sampling(request, quirks, drops),
        **options_out.output_limit(request, target),
        **_rest(request, quirks, drops),
    }
    native = _native(request, quirks)
    kept = tuple(name for name in request.dropped if name in native)
    for name in request.dropped:
        if name not in kept:
            drops.drop(name)
    body = {**native, **body}
    _put_account(body, quirks.account_field, target.account_tag)
    return Encoded(
        outbound=Outbound(
            path="chat/completions",
            body=orjson.dumps(body),
            headers=JSON,
            query=quirks.extra_query,
        ),
        dropped=drops.names,
        kept=kept,
        tool_names=names.back,
    )


def _tools(request: Request, names: Names, quirks: Quirks, drops: Drops) -> dict[str, Any]:
    written: dict[str, Any] = {}
    choice = request.tool_choice
    tools = _offered(request.tools, choice)
    if tools:
        written["tools"] = [_tool(tool, names, quirks, drops) for tool in tools]
        if choice is not None:
            written["tool_choice"] = _choice(choice, names, tools, quirks)
        if request.is_parallel is not None and quirks.takes_parallel_switch:
            written["parallel_tool_calls"] = request.is_parallel
        elif request.is_parallel is False:
            drops.drop("parallel_tool_calls")
    if request.web_search is not None:
        written["web_search_options"] = _web_search(request.web_search, drops)
    return written


def _offered(tools: tuple[Tool, ...], choice: ToolChoice | None) -> tuple[Tool, ...]:
    """Leave out tools that must not be called: few vendors know `allowed_tools`."""
    is_named = choice is not None and len(choice.names) == 1 and choice.mode == "required"
    if choice is None or not choice.names or is_named:
        return tools
    return tuple(tool for tool in tools if tool.name in choice.names)


def _tool(tool: Tool, names: Names, quirks: Quirks, drops: Drops) -> dict[str, Any]:
    name = names.of(tool.name)
    if tool.is_custom and quirks.takes_custom_tools:
        custom: dict[str, Any] = {"name": name, "description": tool.description}
        if tool.grammar is not None:
            custom["format"] = {"type": "grammar", "grammar": tool.grammar}
        return {"type": "custom", "custom": custom}
    function: dict[str, Any] = {"name": name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.schema or {"type": "object", "properties": {}}
    if tool.is_custom:
        drops.note("tools[].custom")
        function["parameters"] = _ONE_TEXT
    elif tool.is_strict is not None and quirks.takes_strict:
        function["strict"] = tool.is_strict
    else:
        drops.drop_if("tools[].strict", given=tool.is_strict)
    written = {"type": "function", "function": function}
    if tool.cache is not None and quirks.takes_cache_control:
        return {**written, "cache_control": cache_control(tool.cache)}
    if tool.cache is not None:
        drops.note("cache_control")
    return written


_ONE_TEXT: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
}


def _choice(choice: ToolChoice, names: Names, tools: tuple[Tool, ...], quirks: Quirks) -> Any:
    if len(choice.names) != 1 or choice.mode != "required":
        return choice.mode
    name = choice.names[0]
    is_custom = any(tool.is_custom for tool in tools if tool.name == name)
    kind = "custom" if is_custom and quirks.takes_custom_tools else "function"
    return {"type": kind, kind: {"name": names.of(name)}}


def _web_search(wanted: WebSearch, drops: Drops) -> dict[str, Any]:
    if wanted.allowed_domains or wanted.blocked_domains:
        drops.refuse("web_search.filters")
    drops.drop_if("web_search.max_uses", given=wanted.uses_max)
    options: dict[str, Any] = {}
    if wanted.context_size:
        options["search_context_size"] = wanted.context_size
    if wanted.location:
        options["user_location"] = {"type": "approximate", "approximate": wanted.location}
    return options


def _rest(request: Request, quirks: Quirks, drops: Drops) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if request.modalities not in ((), ("text",)):
        written["modalities"] = list(request.modalities)
    if request.audio_out is not None and "audio" in request.modalities:
        sound = {"voice": request.audio_out.voice, "format": request.audio_out.format}
        written["audio"] = {name: value for name, value in sound.items() if value}
    if request.service_tier not in ("", "standard"):
        written["service_tier"] = request.service_tier
    if request.verbosity and quirks.reasoning in ("effort", "openrouter"):
        written["verbosity"] = request.verbosity
    else:
        drops.drop_if("verbosity", given=request.verbosity)
    _put_cache(written, request, quirks, drops)
    if request.is_stream:
        written["stream"] = True
        if quirks.takes_stream_options:
            written["stream_options"] = {"include_usage": True}
    return written


def _put_cache(written: dict[str, Any], request: Request, quirks: Quirks, drops: Drops) -> None:
    if request.cache_key and quirks.takes_cache_key:
        written["prompt_cache_key"] = request.cache_key
    elif request.cache_key:
        drops.note("prompt_cache_key")
    if request.cache is not None and quirks.takes_cache_control:
        written["cache_control"] = cache_control(request.cache)
    elif request.cache is not None:
        drops.note("cache_control")


def _native(request: Request, quirks: Quirks) -> dict[str, Any]:
    """Pick the fields of a client of this wire format that only its vendors know."""
    fields = (request.native or {}).get("openai_chat", {})
    is_openrouter = quirks.reasoning == "openrouter"
    return {
        name: value
        for name, value in fields.items()
        if name not in _NEVER
        and (is_openrouter or name not in _OPENROUTER_ONLY)
        # An envelope of ours reaches no vendor, wherever a client puts it.
        and not seals.are_in(orjson.dumps(value))
    }


def _put_account(body: dict[str, Any], field: str, tag: str) -> None:
    if not field or not tag:
        return
    *parents, name = field.split(".")
    owner = body
    for parent in parents:
        owner = owner.setdefault(parent, {})
    owner[name] = tag
