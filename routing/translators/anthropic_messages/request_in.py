"""Reads requests in Anthropic's shape (pure)."""

import re
from collections.abc import Mapping
from typing import Any, Final

from routing.conversation import OutputFormat, ReasoningWish, Request, Sampling
from routing.dialects import fields
from routing.errors import Code
from routing.translators.anthropic_messages import parts_in
from routing.translators.anthropic_messages.tools_in import Tools, choice, texts
from routing.translators.anthropic_messages.turns_in import Turns

_TIERS: Final = {"": "", "auto": "", "standard_only": "standard"}
_THINKING: Final = (None, "enabled", "adaptive", "between_tools", "disabled")
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
# Read here, or elsewhere (`metadata` is replaced by our own mark of the account).
_KNOWN: Final = frozenset(
    {
        "model", "max_tokens", "messages", "system", "stream", "metadata", "tools", "tool_choice",
        "stop_sequences", "temperature", "top_k", "top_p", "thinking", "output_config",
        "output_format", "service_tier", "speed", "cache_control", "provider", "inference_geo",
        "betas", "anthropic_version", "anthropic_beta",
    }
)  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def decode_request(body: Mapping[str, Any], *, seal_key: bytes) -> Request:
    """Read a request. Raises: RelayError (400) naming the field."""
    turns, tools = Turns(key=seal_key), Tools()
    instructions = parts_in.text_blocks(body.get("system"), "system")
    turns.read(fields.array(body, "messages"))
    for index, tool in enumerate(fields.array(body, "tools")):
        tools.read(tool, f"tools[{index}]")
    for added, param in turns.tools:
        tools.read(added, param)
    tool_choice, is_parallel = choice(body)
    config = fields.mapping(body, "output_config")
    thinking = fields.mapping(body, "thinking")
    dropped = [*_dropped(body), *tools.dropped, *turns.dropped]
    if thinking.get("type") == "disabled" and config.get("effort"):
        dropped.append("output_config.effort")  # elsewhere effort is of thinking alone
    return Request(
        instructions=(*instructions, *turns.instructions),
        turns=tuple(turns.turns),
        tools=tuple(tools.tools),
        web_search=tools.web_search,
        tool_choice=tool_choice,
        is_parallel=is_parallel,
        output_format=_output_format(body, config),
        reasoning=_reasoning(thinking, config),
        sampling=_sampling(body),
        output_tokens_max=fields.integer(body, "max_tokens"),
        service_tier=_service_tier(body),
        cache=parts_in.cache(body, ""),
        is_stream=fields.flag(body, "stream"),
        requires_all=_requires_all(body),
        dropped=tuple(dict.fromkeys(dropped)),
    )


def _dropped(body: Mapping[str, Any]) -> list[str]:
    """Name the fields that only Anthropic's own models know; refuse servers that they call."""
    if fields.array(body, "mcp_servers"):
        fields.refuse(
            Code.UNSUPPORTED,
            "`mcp_servers` names servers that only Anthropic calls. Call their tools yourself, "
            "or choose a model whose vendor speaks this protocol.",
            "mcp_servers",
        )
    unknown = (name for name, value in body.items() if name not in _KNOWN and value)
    return [name for name in unknown if _NAME.fullmatch(name)]


def _output_format(body: Mapping[str, Any], config: Mapping[str, Any]) -> OutputFormat | None:
    prefix = "output_config.format."
    told = fields.mapping(config, "format", "output_config.")
    if not told:  # as it was called before 2026
        prefix, told = "output_format.", fields.mapping(body, "output_format")
    if not told:
        return None
    if fields.text(told, "type", prefix) not in (None, "json_schema"):
        fields.refuse(
            Code.INVALID_VALUE, f"`{prefix}type` must be json_schema. Change it.", f"{prefix}type"
        )
    schema = fields.mapping(told, "schema", prefix)
    if not schema:
        fields.refuse_missing(f"{prefix}schema", "the schema of the answer")
    return OutputFormat(schema=schema)


def _reasoning(thinking: Mapping[str, Any], config: Mapping[str, Any]) -> ReasoningWish:
    effort = fields.text(config, "effort", "output_config.") or ""
    if effort and effort not in _EFFORTS:
        fields.refuse(
            Code.INVALID_VALUE,
            f"`output_config.effort` must be one of {', '.join(_EFFORTS)}. Change it.",
            "output_config.effort",
        )
    display = fields.text(thinking, "display", "thinking.")
    shows = None if display is None else display != "omitted"
    kind = fields.text(thinking, "type", "thinking.")
    if kind not in _THINKING:
        fields.refuse(
            Code.INVALID_VALUE,
            "`thinking.type` must be enabled, adaptive, between_tools or disabled. Change it.",
            "thinking.type",
        )
    if kind == "disabled":
        return ReasoningWish(is_on=False, shows=shows)
    budget = fields.integer(thinking, "budget_tokens", prefix="thinking.")
    if kind in ("adaptive", "between_tools"):
        budget = None if effort else -1
    return ReasoningWish(
        effort=effort, budget=budget, is_on=None if kind is None else True, shows=shows
    )


def _sampling(body: Mapping[str, Any]) -> Sampling:
    return Sampling(
        temperature=_number(body, "temperature"),
        top_p=_number(body, "top_p"),
        top_k=fields.integer(body, "top_k"),
        stop=texts(body, "stop_sequences"),
    )


def _number(body: Mapping[str, Any], name: str) -> float | None:
    value = body.get(name)
    if value is not None and type(value) not in (int, float):
        fields.refuse_type(value, "a number", name)
    return value


def _service_tier(body: Mapping[str, Any]) -> str:
    if fields.text(body, "speed") == "fast":
        return "fast"
    tier = fields.text(body, "service_tier") or ""
    return _TIERS.get(tier, tier)


def _requires_all(body: Mapping[str, Any]) -> bool:
    provider = body.get("provider")
    return type(provider) is dict and provider.get("require_parameters") is True
