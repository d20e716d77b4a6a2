"""Gemini's generateContent, countTokens and embeddings, native (pure).

Every key may come in camelCase or snake_case; one object that holds both spellings of a key is
refused, since the two could be read differently here and there.
"""

import re
import urllib.parse
from collections.abc import Mapping
from typing import Any, Final

from routing import jsonedit
from routing.dialects import fields
from routing.dialects.base import Demand, Inbound, Outbound, PathParts, Quirks
from routing.dialects.content import Tally, service_tier
from routing.errors import Code
from routing.surfaces import Surface

CANDIDATES_MAX: Final = 128
_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")
_OPERATIONS: Final[Mapping[Surface, str]] = {
    Surface.GENERATE: "generateContent",
    Surface.GEMINI_COUNT: "countTokens",
    Surface.GEMINI_EMBED: "embedContent",
    Surface.GEMINI_BATCH_EMBED: "batchEmbedContents",
}
# Names of things in the project of the credential: caches, armor templates, earlier answers.
_HANDLE_FIELDS: Final = ("cachedContent", "modelArmorConfig", "continuationToken", "store")
_UNPRICED_CONFIG: Final = ("routingConfig", "modelConfig", "modelSelectionConfig")
_SNAKE: Final[Mapping[str, str]] = {
    name: _CAPITAL.sub("_", name).lower()
    for name in (
        *_HANDLE_FIELDS,
        *_UNPRICED_CONFIG,
        "systemInstruction",
        "generationConfig",
        "generateContentRequest",
        "maxOutputTokens",
        "candidateCount",
        "serviceTier",
        "inlineData",
        "fileData",
        "fileUri",
        "mimeType",
        "functionResponse",
        "functionDeclarations",
        "googleSearch",
        "googleSearchRetrieval",
        "urlContext",
        "codeExecution",
        "computerUse",
        "mcpServers",
        "fileSearch",
    )
}
_CAMEL: Final[Mapping[str, str]] = {snake: camel for camel, snake in _SNAKE.items()}
_MEDIA_KEYS: Final = frozenset(
    {"inlineData", "inline_data", "fileData", "file_data", "functionResponse", "function_response"}
)
# Google may open its own buckets with the rights of our project; no other vendor does.
_BUCKET_LINK: Final = re.compile(
    r"https?://[^/?#]*storage\.(cloud\.google|googleapis)\.com", re.IGNORECASE
)
_FREE_TOOLS: Final = frozenset({"functionDeclarations", "computerUse"})
_READING_TOOLS: Final = frozenset({"urlContext", "codeExecution", "mcpServers"})
_SEARCHES: Final = frozenset({"googleSearch", "googleSearchRetrieval"})
_HANDLE_TOOLS: Final = frozenset({"fileSearch", "retrieval"})


def decode(*, surface: Surface, raw: bytes, headers: Mapping[str, str], path: PathParts) -> Inbound:
    """Read a request of the Gemini API. Raises: RelayError (400) naming the wrong field."""
    del headers  # this dialect has none that a vendor should see
    document = jsonedit.read(raw)
    tally = Tally()
    model = fields.checked_model(path.model.removeprefix("models/"))
    alt = path.query.get("alt", "json")
    if alt not in ("json", "sse"):
        fields.refuse(Code.INVALID_VALUE, "The query's `alt` must be json or sse.", "alt")
    _READERS[surface](document.value, tally)
    return Inbound(
        surface=surface,
        model=model,
        is_stream=path.is_stream,
        document=document,
        content=tally.content(),
        headers={"content-type": "application/json"},
        # Without it the vendor streams one JSON array: the caller gets what it asked for.
        query="alt=sse" if path.is_stream and alt == "sse" else "",
    )


def demand(inbound: Inbound) -> Demand:
    """Tell the most that the request may use. Raises: RelayError (400)."""
    content = inbound.content
    is_generation = inbound.surface is Surface.GENERATE
    config = _object(inbound.body, "generationConfig") if is_generation else {}
    choices = _integer(config, "candidateCount", at_least=1) or 1
    if choices > CANDIDATES_MAX:
        fields.refuse_range("generationConfig.candidateCount", CANDIDATES_MAX)
    return Demand(
        prompt_bytes=len(inbound.raw) - content.inline_bytes,
        images=content.images,
        has_remote_content=content.has_remote,
        output_tokens=_integer(config, "maxOutputTokens"),
        choices=choices,
        fees=content.fees,
        service_tier=service_tier(_get(inbound.body, "serviceTier"), "serviceTier"),
        has_output=is_generation,
    )


def encode(
    inbound: Inbound,
    *,
    upstream_name: str,
    quirks: Quirks,
    account_tag: str,
    output_limit: int | None,
) -> Outbound:
    """Make the vendor's request: the path names the model, the bytes stay the caller's."""
    del account_tag  # no field for it in this dialect
    name = urllib.parse.quote(upstream_name.removeprefix("models/"), safe="/:@")
    operation = "streamGenerateContent" if inbound.is_stream else _OPERATIONS[inbound.surface]
    changes: dict[jsonedit.Path, Any] = dict.fromkeys(
        _model_paths(inbound.body), f"models/{upstream_name.removeprefix('models/')}"
    )
    if output_limit is not None and inbound.surface is Surface.GENERATE:
        config = _object(inbound.body, "generationConfig")
        changes[_spelled(inbound.body, "generationConfig"), _spelled(config, "maxOutputTokens")] = (
            output_limit
        )
    return Outbound(
        path=f"models/{name}:{operation}",
        body=jsonedit.edit(inbound.document, changes),
        headers=inbound.headers,
        query="&".join(part for part in (quirks.extra_query, inbound.query) if part),
    )


def _model_paths(body: Mapping[str, Any]) -> list[jsonedit.Path]:
    """Find the places beside the path that name the model."""
    found: list[jsonedit.Path] = [("model",)] if "model" in body else []
    wrapped = _spelled(body, "generateContentRequest")
    if type(body.get(wrapped)) is dict and "model" in body[wrapped]:
        found.append((wrapped, "model"))
    requests = body.get("requests")
    if type(requests) is list:
        found += [
            ("requests", index, "model")
            for index, item in enumerate(requests)
            if type(item) is dict and "model" in item
        ]
    return found


def _get(value: Mapping[str, Any], name: str, prefix: str = "") -> Any:
    """Read a key in either spelling; both at once are refused."""
    snake = _SNAKE[name]
    if snake == name or snake not in value:
        return value.get(name)
    if name in value:
        fields.refuse(
            Code.DUPLICATE_KEY,
            f"`{prefix}{name}` is given in both its spellings. Send one of them.",
            prefix + name,
        )
    return value[snake]


def _spelled(value: Mapping[str, Any], name: str) -> str:
    return _SNAKE[name] if _SNAKE[name] in value else name


def _object(value: Mapping[str, Any], name: str, prefix: str = "") -> dict[str, Any]:
    found = _get(value, name, prefix)
    if found is None:
        return {}
    return fields.entry(found, prefix + name)


def _integer(config: Mapping[str, Any], name: str, *, at_least: int = 0) -> int | None:
    given = {name: _get(config, name, "generationConfig.")}
    return fields.integer(given, name, at_least=at_least, prefix="generationConfig.")


def _read_generate(body: Mapping[str, Any], tally: Tally, prefix: str = "") -> None:
    _refuse_fields(body, prefix)
    contents = fields.array(body, "contents", prefix)
    if not contents:
        fields.refuse_missing(f"{prefix}contents", "at least one content")
    for index, content in enumerate(contents):
        _read_content(content, f"{prefix}contents[{index}]", tally)
    instruction = _get(body, "systemInstruction", prefix)
    if instruction is not None:
        _read_content(instruction, f"{prefix}systemInstruction", tally)
    for index, tool in enumerate(fields.array(body, "tools", prefix)):
        param = f"{prefix}tools[{index}]"
        _read_tool(fields.entry(tool, param), param, tally)


def _refuse_fields(body: Mapping[str, Any], prefix: str) -> None:
    for name in _HANDLE_FIELDS:
        if _get(body, name, prefix):
            fields.refuse_handle(prefix + name)
    config = _object(body, "generationConfig", prefix)
    for name in _UNPRICED_CONFIG:
        if _get(config, name, f"{prefix}generationConfig."):
            fields.refuse_unpriced(f"{prefix}generationConfig.{name}", "other models")


def _read_count(body: Mapping[str, Any], tally: Tally) -> None:
    wrapped = _object(body, "generateContentRequest")
    if wrapped:
        _read_generate(wrapped, tally, "generateContentRequest.")
    if body.get("contents") or not wrapped:
        _read_generate(body, tally)


def _read_embed(body: Mapping[str, Any], tally: Tally, prefix: str = "") -> None:
    if body.get("content") is None:
        fields.refuse_missing(f"{prefix}content", "the content to embed")
    _read_content(body["content"], f"{prefix}content", tally)


def _read_batch_embed(body: Mapping[str, Any], tally: Tally) -> None:
    requests = fields.array(body, "requests")
    if not requests:
        fields.refuse_missing("requests", "at least one request")
    for index, request in enumerate(requests):
        param = f"requests[{index}]"
        _read_embed(fields.entry(request, param), tally, f"{param}.")


_READERS: Final = {
    Surface.GENERATE: _read_generate,
    Surface.GEMINI_COUNT: _read_count,
    Surface.GEMINI_EMBED: _read_embed,
    Surface.GEMINI_BATCH_EMBED: _read_batch_embed,
}


def _read_content(content: Any, param: str, tally: Tally) -> None:
    if type(content) is not dict:
        fields.refuse_type(content, "an object", param)
    parts = content.get("parts")
    if type(parts) is dict:  # protobuf's JSON reader takes a single part for a list of one
        parts = [parts]
    elif parts is not None and type(parts) is not list:
        fields.refuse_type(parts, "an array", f"{param}.parts")
    for number, part in enumerate(parts or ()):
        if type(part) is not dict:
            fields.refuse_type(part, "an object", f"{param}.parts[{number}]")
        if not _MEDIA_KEYS.isdisjoint(part):
            _read_media(part, f"{param}.parts[{number}]", tally)


def _read_media(part: dict[str, Any], param: str, tally: Tally) -> None:
    inline = _object(part, "inlineData", f"{param}.")
    if inline:
        tally.inline(_get(inline, "mimeType"), inline.get("data"), f"{param}.inlineData.data")
    file = _object(part, "fileData", f"{param}.")
    if file:
        uri = _get(file, "fileUri")
        if type(uri) is str and _BUCKET_LINK.match(uri):
            fields.refuse_handle(f"{param}.fileData.fileUri")
        tally.link(uri, f"{param}.fileData.fileUri")
    result = _object(part, "functionResponse", f"{param}.")
    for number, nested in enumerate(fields.array(result, "parts", f"{param}.functionResponse.")):
        where = f"{param}.functionResponse.parts[{number}]"
        _read_media(fields.entry(nested, where), where, tally)


def _read_tool(tool: dict[str, Any], param: str, tally: Tally) -> None:
    for key, value in tool.items():
        name = _CAMEL.get(key, key)
        if value is None or name in _FREE_TOOLS:
            continue
        if name in _READING_TOOLS:
            tally.has_remote = True
        elif name in _SEARCHES:
            tally.searches(None)
        elif name in _HANDLE_TOOLS:
            fields.refuse_handle(f"{param}.{key}")
        else:
            fields.refuse_unpriced(f"{param}.{key}", "a tool that the vendor runs")
