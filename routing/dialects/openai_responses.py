"""OpenAI's Responses, stateless, with its counts and compaction, native (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from billing.usage import UnitClass
from routing import jsonedit
from routing.dialects import fields, openai
from routing.dialects.base import Demand, Inbound, Outbound, PathParts, Quirks
from routing.dialects.content import TOOL_USES_BOUND, Tally, service_tier
from routing.surfaces import Surface

_HANDLE_FIELDS: Final = (
    "previous_response_id",
    "conversation",
    "prompt",
    "container",
    "access_programs",
    "background_options",
)
# Items whose every content is in the request; their own ids point to nothing, since nothing
# that goes through here is stored (`store` is always false).
_PLAIN_ITEMS: Final = frozenset(
    {
        "function_call",
        "reasoning",
        "compaction",
        "compaction_trigger",
        "configuration_update",
        "custom_tool_call",
        "web_search_call",
        "tool_search_call",
        "mcp_list_tools",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "local_shell_call",
        "local_shell_call_output",
        "shell_call_output",
        "apply_patch_call",
        "apply_patch_call_output",
        "computer_call",
    }
)
_OUTPUT_ITEMS: Final = frozenset(
    {"function_call_output", "custom_tool_call_output", "computer_call_output"}
)
_TEXT_PARTS: Final = frozenset(
    {"input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text"}
)
# Tools that the caller runs, or that cost nothing beside tokens.
_FREE_TOOLS: Final = frozenset(
    {
        "function",
        "custom",
        "tool_search",
        "local_shell",
        "apply_patch",
        "computer",
        "computer_use_preview",
    }
)
_SEARCHES: Final = frozenset(
    {
        "web_search",
        "web_search_2025_08_26",
        "web_search_preview",
        "web_search_preview_2025_03_11",
    }
)

_PATHS: Final[Mapping[Surface, str]] = {
    Surface.INPUT_TOKENS: "responses/input_tokens",
    Surface.COMPACT: "responses/compact",
}


def decode(*, surface: Surface, raw: bytes, headers: Mapping[str, str], path: PathParts) -> Inbound:
    """Read a request of Responses, its count or compaction. Raises: RelayError (400)."""
    del path  # the body says it all
    document = jsonedit.read(raw)
    body = document.value
    tally = Tally()
    model = fields.model(body)
    openai.refuse_stored(body)
    fields.refuse_set(body, _HANDLE_FIELDS)
    openai.refuse_cache_handles(body)
    fields.text(body, "instructions")
    if surface is not Surface.INPUT_TOKENS or body.get("input") is not None:
        _read_input(body.get("input"), tally)  # a count of tools and instructions needs none
    openai.read_tools(fields.array(body, "tools"), "tools", tally, _read_tool)
    _limit_searches(tally, fields.integer(body, "max_tool_calls"))
    return Inbound(
        surface=surface,
        model=model,
        is_stream=surface is Surface.RESPONSES and fields.flag(body, "stream"),
        document=document,
        content=tally.content(),
        headers=openai.forwarded_headers(headers),
    )


def demand(inbound: Inbound) -> Demand:
    """Tell the most that the request may use. Raises: RelayError (400)."""
    has_limit = inbound.surface is Surface.RESPONSES
    return Demand(
        prompt_bytes=len(inbound.raw) - inbound.content.inline_bytes,
        images=inbound.content.images,
        has_remote_content=inbound.content.has_remote,
        output_tokens=fields.integer(inbound.body, "max_output_tokens") if has_limit else None,
        fees=inbound.content.fees,
        service_tier=service_tier(inbound.body.get("service_tier")),
        has_output=inbound.surface is not Surface.INPUT_TOKENS,
        has_limit=has_limit,
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
    if inbound.surface is not Surface.RESPONSES:
        # These take fewer fields: nothing is stored, no output is capped, nobody is named.
        return openai.outbound(inbound, _PATHS[inbound.surface], changes, quirks, account_tag="")
    if quirks.forces_store_false and inbound.body.get("store") is not False:
        changes[("store",)] = False
    if output_limit is not None:
        changes[("max_output_tokens",)] = output_limit
    return openai.outbound(inbound, "responses", changes, quirks, account_tag)


def _limit_searches(tally: Tally, calls_max: int | None) -> None:
    if calls_max is not None and UnitClass.WEB_SEARCH in tally.fees:
        tally.fees[UnitClass.WEB_SEARCH] = min(tally.fees[UnitClass.WEB_SEARCH], calls_max)


def _read_input(given: Any, tally: Tally) -> None:
    if given is None:
        fields.refuse_missing("input", "a text or an array of items")
    if type(given) is str:
        return
    if type(given) is not list:
        fields.refuse_type(given, "a string or an array", "input")
    for index, item in enumerate(given):
        if type(item) is not dict:
            fields.refuse_type(item, "an object", f"input[{index}]")
        if fields.kind(item, f"input[{index}]") not in _PLAIN_ITEMS:
            _read_item(item, f"input[{index}]", tally)


def _read_item(item: dict[str, Any], param: str, tally: Tally) -> None:
    kind = item.get("type")
    if kind in _OUTPUT_ITEMS:
        _read_output(item.get("output"), f"{param}.output", tally)
    elif kind == "message" or (kind is None and "role" in item):
        _read_parts(item.get("content"), f"{param}.content", tally)
    elif kind in ("additional_tools", "tool_search_output"):
        openai.read_tools(fields.array(item, "tools"), f"{param}.tools", tally, _read_tool)
    elif kind == "image_generation_call" and type(item.get("result")) is str:
        tally.inline("image/", item["result"], f"{param}.result")
    elif kind in ("item_reference", "image_generation_call", None):
        fields.refuse_handle(f"{param}.id")
    else:
        tally.other(item, param)


def _read_output(output: Any, param: str, tally: Tally) -> None:
    """Read what a tool gave back: text, parts, or one screenshot."""
    if type(output) is dict:
        _read_part(output, param, tally)
    else:
        _read_parts(output, param, tally)


def _read_parts(parts: Any, param: str, tally: Tally) -> None:
    if parts is None or type(parts) is str:
        return
    if type(parts) is not list:
        fields.refuse_type(parts, "a string or an array", param)
    for number, part in enumerate(parts):
        if type(part) is not dict:
            fields.refuse_type(part, "an object", f"{param}[{number}]")
        if fields.kind(part, f"{param}[{number}]") not in _TEXT_PARTS:
            _read_part(part, f"{param}[{number}]", tally)


def _read_part(part: dict[str, Any], param: str, tally: Tally) -> None:
    kind = part.get("type")
    fields.refuse_set(part, ("file_id",), f"{param}.")
    if kind in ("input_image", "computer_screenshot"):
        tally.image(part.get("image_url"), f"{param}.image_url")
    elif kind == "input_file":
        if part.get("file_url") is not None:
            tally.link(part["file_url"], f"{param}.file_url")
        tally.link_or_data(part.get("file_data"), f"{param}.file_data")
    else:
        tally.other(part, param)


def _read_tool(tool: dict[str, Any], param: str, tally: Tally) -> None:
    kind = fields.kind(tool, param)
    if kind in _FREE_TOOLS:
        return
    if kind in _SEARCHES:
        tally.searches(None)
    elif kind == "namespace":
        openai.read_tools(fields.array(tool, "tools"), f"{param}.tools", tally, _read_tool)
    elif kind == "mcp":
        fields.refuse_set(tool, ("connector_id", "tunnel_id"), f"{param}.")
        tally.has_remote = True
    elif kind == "image_generation":
        _read_image_tool(tool, param, tally)
    elif kind == "shell":
        _read_shell(tool, param)
    elif kind == "file_search":
        fields.refuse_handle(f"{param}.vector_store_ids")
    else:
        fields.refuse_unpriced(f"{param}.type", "a tool that the vendor runs")


def _read_image_tool(tool: dict[str, Any], param: str, tally: Tally) -> None:
    mask = fields.mapping(tool, "input_image_mask", f"{param}.")
    fields.refuse_set(mask, ("file_id",), f"{param}.input_image_mask.")
    if mask.get("image_url") is not None:
        tally.image(mask["image_url"], f"{param}.input_image_mask.image_url")
    tally.fees[UnitClass.IMAGE] = TOOL_USES_BOUND


def _read_shell(tool: dict[str, Any], param: str) -> None:
    environment = fields.mapping(tool, "environment", f"{param}.")
    if environment.get("type") != "local":
        fields.refuse_unpriced(f"{param}.environment", "a container of the vendor")
    fields.refuse_set(environment, ("container_id",), f"{param}.environment.")
