"""OpenAI's chat completions, native (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from routing import jsonedit
from routing.dialects import fields, openai
from routing.dialects.base import Demand, Inbound, Outbound, PathParts, Quirks
from routing.dialects.content import Tally, service_tier
from routing.surfaces import Surface

CHOICES_MAX: Final = 128
_LIMIT_FIELDS: Final = ("max_completion_tokens", "max_tokens")
_HANDLE_FIELDS: Final = ("previous_response_id", "conversation", "container", "preset")
# Fields of resellers and other vendors that change what is billed, or whom it is billed for.
_UNPRICED_FIELDS: Final[Mapping[str, str]] = {
    "models": "other models than the one in `model`",
    "plugins": "plugins",
    "search_parameters": "live search",
    "enable_search": "web search",
}
_PLATFORM_FIELDS: Final = frozenset({"models", "plugins"})
FALLBACKS_MAX: Final = 10
_TOOLS: Final = frozenset({None, "function", "custom"})
_TEXT_PARTS: Final = frozenset({"text", "refusal", "thinking", "reference"})


def decode(*, surface: Surface, raw: bytes, headers: Mapping[str, str], path: PathParts) -> Inbound:
    """Read a chat completion's request. Raises: RelayError (400) naming the wrong field."""
    document = jsonedit.read(raw)
    body = document.value
    tally = Tally()
    fallbacks = _fallbacks(body) if path.is_platform else ()
    model = fallbacks[0] if fallbacks and body.get("model") is None else fields.model(body)
    _read_messages(body, tally)
    _refuse_fields(body, is_platform=path.is_platform)
    if path.is_platform:
        _read_plugins(fields.array(body, "plugins"), tally)
    openai.read_tools(fields.array(body, "tools"), "tools", tally, _read_tool)
    if body.get("web_search_options") is not None:
        tally.searches(None)
    options = fields.mapping(body, "stream_options")
    return Inbound(
        surface=surface,
        model=model,
        is_stream=fields.flag(body, "stream"),
        document=document,
        content=tally.content(),
        wants_stream_usage=options.get("include_usage") is True,
        headers=openai.forwarded_headers(headers),
        is_platform=path.is_platform,
        fallbacks=tuple(name for name in fallbacks if name != model),
    )


def demand(inbound: Inbound) -> Demand:
    """Tell the most that the request may use. Raises: RelayError (400)."""
    body = inbound.body
    limits = [fields.integer(body, name) for name in _LIMIT_FIELDS]
    choices = fields.integer(body, "n", at_least=1) or 1
    if choices > CHOICES_MAX:
        fields.refuse_range("n", CHOICES_MAX)
    return Demand(
        prompt_bytes=len(inbound.raw) - inbound.content.inline_bytes,
        images=inbound.content.images,
        has_remote_content=inbound.content.has_remote,
        output_tokens=max((limit for limit in limits if limit is not None), default=None),
        choices=choices,
        fees=inbound.content.fees,
        service_tier=service_tier(body.get("service_tier")),
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
    if inbound.is_stream and not inbound.wants_stream_usage and quirks.takes_stream_options:
        changes["stream_options", "include_usage"] = True
    if output_limit is not None:
        given = [name for name in _LIMIT_FIELDS if inbound.body.get(name) is not None]
        for name in given or [quirks.output_limit_field]:
            changes[(name,)] = output_limit
    return openai.outbound(inbound, "chat/completions", changes, quirks, account_tag)


def _read_messages(body: Mapping[str, Any], tally: Tally) -> None:
    messages = fields.array(body, "messages")
    if not messages:
        fields.refuse_missing("messages", "at least one message")
    for index, message in enumerate(messages):
        if type(message) is not dict:
            fields.refuse_type(message, "an object", f"messages[{index}]")
        content = message.get("content")
        if type(content) is list:
            for number, part in enumerate(content):
                _read_part(part, f"messages[{index}].content[{number}]", tally)
        elif content is not None and type(content) is not str:
            fields.refuse_type(content, "a string or an array", f"messages[{index}].content")
        # An assistant's earlier sound, by its id at the vendor.
        if message.get("audio"):
            fields.refuse_set(
                fields.entry(message["audio"], f"messages[{index}].audio"),
                ("id",),
                f"messages[{index}].audio.",
            )


def _read_part(part: Any, param: str, tally: Tally) -> None:
    if type(part) is str:  # Mistral accepts a list of strings
        return
    kind = fields.kind(fields.entry(part, param), param)
    if kind in _TEXT_PARTS:
        return
    if kind == "image_url":
        image = part.get("image_url")
        tally.image(image.get("url") if type(image) is dict else image, f"{param}.image_url.url")
    elif kind == "file":
        file = fields.entry(part.get("file"), f"{param}.file")
        fields.refuse_set(file, ("file_id",), f"{param}.file.")
        tally.link_or_data(file.get("file_data"), f"{param}.file.file_data")
    else:
        tally.other(part, param)


def _read_tool(tool: dict[str, Any], param: str, tally: Tally) -> None:
    del tally  # no tool of this dialect runs at the vendor
    if fields.kind(tool, param) not in _TOOLS:
        fields.refuse_unpriced(f"{param}.type", "a tool that the vendor runs")


def _fallbacks(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Read OpenRouter's `models`: others that may answer, in order."""
    names = fields.array(body, "models")
    if len(names) > FALLBACKS_MAX:
        fields.refuse_range("models.length", FALLBACKS_MAX)
    for index, name in enumerate(names):
        if type(name) is not str:
            fields.refuse_type(name, "a string", f"models[{index}]")
        fields.checked_model(name)
    return tuple(names)


def _read_plugins(plugins: list[Any], tally: Tally) -> None:
    """Read OpenRouter's plugins: web search is the one that has a price here."""
    for index, plugin in enumerate(plugins):
        param = f"plugins[{index}]"
        if fields.entry(plugin, param).get("id") != "web":
            fields.refuse_unpriced(f"{param}.id", "a plugin that is not known here")
        if plugin.get("enabled") is not False:
            tally.searches(None)


def _refuse_fields(body: Mapping[str, Any], *, is_platform: bool) -> None:
    fields.refuse_set(body, _HANDLE_FIELDS)
    openai.refuse_stored(body)
    openai.refuse_cache_handles(body)
    for name, what in _UNPRICED_FIELDS.items():
        if body.get(name) and not (is_platform and name in _PLATFORM_FIELDS):
            fields.refuse_unpriced(name, what)
    voice = fields.mapping(body, "audio").get("voice")
    if type(voice) is dict:  # a voice made by the owner of the credential
        fields.refuse_set(voice, ("id",), "audio.voice.")
