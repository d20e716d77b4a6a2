"""Anthropic's messages and count_tokens, native (pure)."""

import re
from collections.abc import Mapping
from typing import Any, Final

from billing.usage import UnitClass
from routing import jsonedit
from routing.dialects import anthropic_betas, fields
from routing.dialects.base import Demand, Inbound, Outbound, PathParts, Quirks
from routing.dialects.content import TOOL_USES_BOUND, Tally, service_tier
from routing.errors import Code
from routing.surfaces import Surface

VERSION: Final = "2023-06-01"
# Dates only: which of them it knows is the vendor's to say (the SDK of 2026 sends 2026-10-21).
_VERSION_FORM: Final = re.compile(r"20\d\d-[01]\d-[0-3]\d")
_HANDLE_FIELDS: Final = (
    "container",
    "user_profile_id",
    "workspace_id",
    "thread",
    "fallback_credit_token",
)
_UNPRICED_FIELDS: Final[Mapping[str, str]] = {
    "fallbacks": "other models than the one in `model`",
    "billing_policy": "another way of billing",
}
_PLAIN_BLOCKS: Final = frozenset(
    {
        "text",
        "thinking",
        "redacted_thinking",
        "tool_use",
        "server_tool_use",
        "web_search_tool_result",
        "tool_search_tool_result",
        "mcp_tool_use",
        "mcp_tool_listing",
        "tool_removal",
        "tool_reference",
        "compaction",
        "fallback",
        "search_result",
    }
)
_RESULT_BLOCKS: Final = frozenset({"tool_result", "mcp_tool_result"})
_TOOL_REFERENCES: Final = frozenset(
    {"tool_reference", "mcp_tool_reference", "mcp_toolset_reference"}
)
_DATE: Final = re.compile(r"_\d{8}$")
# By name without the date of the version: run by the caller, or free beside tokens.
_FREE_TOOLS: Final = frozenset(
    {
        "custom",
        "bash",
        "computer",
        "computer_toolset",
        "browser_toolset",
        "text_editor",
        "memory",
        "tool_search_tool_bm25",
        "tool_search_tool_regex",
    }
)


def decode(*, surface: Surface, raw: bytes, headers: Mapping[str, str], path: PathParts) -> Inbound:
    """Read a messages or count_tokens request. Raises: RelayError (400) naming the field."""
    document = jsonedit.read(raw)
    body = document.value
    tally = Tally()
    model = fields.model(body)
    if surface is Surface.MESSAGES and body.get("max_tokens") is None:
        fields.refuse_missing("max_tokens", "the most tokens that the answer may have")
    fields.refuse_set(body, _HANDLE_FIELDS)
    _refuse_unpriced(body)
    fields.mapping(body, "metadata")
    _read_system(body.get("system"), tally)
    _read_messages(fields.array(body, "messages"), tally)
    for index, tool in enumerate(fields.array(body, "tools")):
        _read_tool(fields.entry(tool, f"tools[{index}]"), f"tools[{index}]", tally)
    tally.has_remote = tally.has_remote or bool(fields.array(body, "mcp_servers"))
    forwarded, beta = _headers(headers)
    return Inbound(
        surface=surface,
        model=model,
        is_stream=surface is Surface.MESSAGES and fields.flag(body, "stream"),
        document=document,
        content=tally.content(),
        beta=beta,
        headers=forwarded,
        query="beta=true" if path.query.get("beta") == "true" else "",
    )


def demand(inbound: Inbound) -> Demand:
    """Tell the most that the request may use. Raises: RelayError (400)."""
    body = inbound.body
    tier = (
        "fast" if fields.text(body, "speed") == "fast" else service_tier(body.get("service_tier"))
    )
    return Demand(
        prompt_bytes=len(inbound.raw) - inbound.content.inline_bytes,
        images=inbound.content.images,
        has_remote_content=inbound.content.has_remote,
        output_tokens=fields.integer(body, "max_tokens"),
        fees=inbound.content.fees,
        service_tier=tier,
        has_output=inbound.surface is Surface.MESSAGES,
    )


def encode(
    inbound: Inbound,
    *,
    upstream_name: str,
    quirks: Quirks,
    account_tag: str,
    output_limit: int | None,
) -> Outbound:
    """Make the vendor's request: the caller's bytes with the listed edits and no others."""
    changes: dict[jsonedit.Path, Any] = {("model",): upstream_name}
    is_count = inbound.surface is Surface.COUNT_TOKENS
    if output_limit is not None and not is_count:
        changes[("max_tokens",)] = output_limit
    if quirks.account_field and account_tag and not is_count:
        changes[tuple(quirks.account_field.split("."))] = account_tag
    return Outbound(
        path="messages/count_tokens" if is_count else "messages",
        body=jsonedit.edit(inbound.document, changes),
        headers=inbound.headers,
        query="&".join(part for part in (quirks.extra_query, inbound.query) if part),
    )


def _headers(headers: Mapping[str, str]) -> tuple[Mapping[str, str], tuple[str, ...]]:
    version = headers.get("anthropic-version", VERSION)
    if not _VERSION_FORM.fullmatch(version):
        fields.refuse(
            Code.INVALID_HEADER,
            f"The header `anthropic-version` must be a date such as {VERSION}.",
            "anthropic-version",
        )
    forwarded = {"content-type": "application/json", "anthropic-version": version}
    beta = anthropic_betas.read(headers)
    if beta:
        forwarded["anthropic-beta"] = ",".join(beta)
    return forwarded, beta


def _refuse_unpriced(body: Mapping[str, Any]) -> None:
    for name, what in _UNPRICED_FIELDS.items():
        if body.get(name):
            fields.refuse_unpriced(name, what)
    # Inference in one country costs more than the list price.
    if body.get("inference_geo") not in (None, "global"):
        fields.refuse_unpriced("inference_geo", "inference in one region")


def _read_system(system: Any, tally: Tally) -> None:
    if system is not None:
        _read_content(system, "system", tally)


def _read_messages(messages: list[Any], tally: Tally) -> None:
    if not messages:
        fields.refuse_missing("messages", "at least one message")
    for index, message in enumerate(messages):
        if type(message) is not dict:
            fields.refuse_type(message, "an object", f"messages[{index}]")
        content = message.get("content")
        if type(content) is not str:
            _read_content(content, f"messages[{index}].content", tally)


def _read_content(content: Any, param: str, tally: Tally) -> None:
    if type(content) is str:
        return
    if type(content) is not list:
        fields.refuse_type(content, "a string or an array", param)
    for number, block in enumerate(content):
        if type(block) is not dict:
            fields.refuse_type(block, "an object", f"{param}[{number}]")
        if fields.kind(block, f"{param}[{number}]") not in _PLAIN_BLOCKS:
            _read_block(block, f"{param}[{number}]", tally)


def _read_block(block: dict[str, Any], param: str, tally: Tally) -> None:
    kind = block.get("type")
    if kind in ("image", "document"):
        source = fields.entry(block.get("source"), f"{param}.source")
        mime = "image/" if kind == "image" else source.get("media_type")
        _read_source(source, mime, f"{param}.source", tally)
    elif kind in _RESULT_BLOCKS:
        if block.get("content") is not None:
            _read_content(block["content"], f"{param}.content", tally)
    elif kind == "tool_addition":
        tool = fields.entry(block.get("tool"), f"{param}.tool")
        if fields.kind(tool, f"{param}.tool") not in _TOOL_REFERENCES:
            _read_tool(tool, f"{param}.tool", tally)
    elif kind == "web_fetch_tool_result":
        tally.has_remote = True  # holds a document, whose bytes bound nothing
    else:
        tally.other(block, param)


def _read_source(source: dict[str, Any], mime: Any, param: str, tally: Tally) -> None:
    kind = source.get("type")
    if kind == "base64":
        tally.inline(mime, source.get("data"), f"{param}.data")
    elif kind == "url":
        tally.images += mime == "image/"
        tally.link(source.get("url"), f"{param}.url")
    elif kind == "content":
        _read_content(source.get("content"), f"{param}.content", tally)
    elif kind != "text":
        tally.other(source, param)


def _read_tool(tool: dict[str, Any], param: str, tally: Tally) -> None:
    kind = fields.kind(tool, param)
    name = "custom" if kind is None else _DATE.sub("", kind)
    if name in _FREE_TOOLS:
        return
    if name == "web_search":
        tally.searches(fields.integer(tool, "max_uses", prefix=f"{param}."))
    elif name == "web_fetch":
        uses = fields.integer(tool, "max_uses", prefix=f"{param}.")
        tally.fees[UnitClass.WEB_FETCH] = TOOL_USES_BOUND if uses is None else uses
        tally.has_remote = True
    elif name == "mcp_toolset":
        tally.has_remote = True
    else:
        fields.refuse_unpriced(f"{param}.type", "a tool that the vendor runs")
