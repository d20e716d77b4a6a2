"""Writes requests for Anthropic (pure)."""

from typing import Any, Final

import orjson

from routing.conversation import OutputFormat, Request, Text
from routing.dialects.anthropic_messages import VERSION
from routing.dialects.base import Outbound
from routing.translators.anthropic_messages import marks, thinking_out, tools_out
from routing.translators.anthropic_messages.parts_out import Blocks
from routing.translators.anthropic_messages.schemas import Closing
from routing.translators.anthropic_messages.turns_out import Messages
from routing.translators.base import Encoded, Target
from routing.translators.drops import Drops

_OUTPUT_TOKENS: Final = 4096  # where neither the request nor the model says
_HEADERS: Final = {"content-type": "application/json", "anthropic-version": VERSION}
_JSON_ONLY: Final = "Answer with one JSON object only: no other text, no code fence."
_TIERS: Final = {"standard": "standard_only", "priority": "auto"}


def encode_request(request: Request, target: Target) -> Encoded:
    """Write a request. Raises: RelayError (400) naming what has no word here."""
    drops = Drops(request, "Anthropic's Messages API")
    _check(request, drops)
    names = tools_out.tool_names(request)
    blocks = Blocks(target, drops)
    messages = Messages(blocks, names, drops, takes_system=target.quirks.takes_system_turns)
    body: dict[str, Any] = {
        "model": target.upstream_name,
        "max_tokens": _limit(request, target),
    }
    if system := _system(request, blocks, drops):
        body["system"] = system
    body["messages"] = messages.write(request.turns)
    tools_out.write(body, request, names=names, quirks=target.quirks, drops=drops)
    thinks = thinking_out.write(body, request, target=target, drops=drops)
    _write_format(body, request.output_format, target, drops)
    _write_sampling(body, request, target, drops, thinks=thinks)
    _write_rest(body, request, target, drops)
    return Encoded(
        outbound=Outbound(
            path="messages",
            body=orjson.dumps(body),
            headers=_HEADERS,
            query=target.quirks.extra_query,
        ),
        dropped=drops.names,
        tool_names=names.back,
    )


def _check(request: Request, drops: Drops) -> None:
    for name in request.dropped:
        drops.drop(name)
    if request.sampling.choices > 1:
        drops.refuse("n")
    if request.audio_out is not None or {"audio", "image"} & set(request.modalities):
        drops.refuse("modalities")


def _limit(request: Request, target: Target) -> int:
    """Return the output limit, which this vendor wants; never more than the hold covers."""
    wanted = request.output_tokens_max
    if wanted is None:
        wanted = target.output_limit or target.output_tokens_max or _OUTPUT_TOKENS
    return wanted if target.output_limit is None else min(wanted, target.output_limit)


def _system(request: Request, blocks: Blocks, drops: Drops) -> list[dict[str, Any]]:
    found = [block for text in request.instructions for block in blocks.text(text)]
    wanted = request.output_format
    if wanted is not None and wanted.schema is None:
        drops.drop("response_format")  # there is no such mode: the model is asked for it
        found += blocks.text(Text(text=_JSON_ONLY))
    return found


def _write_format(
    body: dict[str, Any], wanted: OutputFormat | None, target: Target, drops: Drops
) -> None:
    if wanted is None or wanted.schema is None:
        return
    schema = wanted.schema
    if not target.quirks.takes_json_schema or schema.get("type", "object") != "object":
        drops.refuse("response_format")
    closing = Closing()
    closed = closing.close(dict(schema))
    if closing.has_open_maps:
        drops.refuse("response_format")
    if closing.is_changed:
        drops.drop("response_format.schema")
    config = body.setdefault("output_config", {})
    config["format"] = {"type": "json_schema", "schema": closed}


def _write_sampling(
    body: dict[str, Any], request: Request, target: Target, drops: Drops, *, thinks: bool
) -> None:
    sampling, quirks = request.sampling, target.quirks
    if not quirks.takes_sampling:
        for name in ("temperature", "top_p", "top_k"):
            if getattr(sampling, name) is not None:
                drops.drop(name)
    elif thinks:
        _write_thinking_sampling(body, request, drops)
    else:
        _write_plain_sampling(body, request, drops)
    stop = [one for one in sampling.stop if one.strip()]
    if stop and quirks.takes_stop:
        body["stop_sequences"] = stop
    if len(stop) < len(sampling.stop) or (stop and not quirks.takes_stop):
        drops.drop("stop")  # of white space alone it is refused ([mem], 2026-11)


def _write_plain_sampling(body: dict[str, Any], request: Request, drops: Drops) -> None:
    sampling = request.sampling
    temperature = sampling.temperature
    if temperature is not None:
        if temperature > 1:
            drops.drop("temperature")  # named, for it is changed
        body["temperature"] = min(temperature, 1)
    if sampling.top_p is not None:
        if temperature is None:
            body["top_p"] = sampling.top_p
        else:  # newer models refuse both ([mem], 2026-11)
            drops.drop("top_p")
    if sampling.top_k is not None:
        body["top_k"] = sampling.top_k


def _write_thinking_sampling(body: dict[str, Any], request: Request, drops: Drops) -> None:
    """With thinking on, temperature is 1 and there is no top_k (documentation [mem], 2026-11)."""
    sampling = request.sampling
    if sampling.temperature not in (None, 1):
        drops.drop("temperature")
    if sampling.top_k is not None:
        drops.drop("top_k")
    if sampling.top_p is not None:
        if sampling.top_p >= 0.95:
            body["top_p"] = sampling.top_p
        else:
            drops.drop("top_p")


def _write_rest(body: dict[str, Any], request: Request, target: Target, drops: Drops) -> None:
    _drop_unknown(request, drops)
    tier = request.service_tier
    if tier == "fast":
        body["speed"] = "fast"
    elif tier in _TIERS:
        body["service_tier"] = _TIERS[tier]
    else:
        drops.drop_if("service_tier", given=tier)
    if target.quirks.account_field and target.account_tag:
        _put(body, target.quirks.account_field, target.account_tag)
    if request.cache is not None:
        body["cache_control"] = marks.control(request.cache)
    if marks.limit(body):
        drops.note("cache_control")
    if request.is_stream:
        body["stream"] = True


def _drop_unknown(request: Request, drops: Drops) -> None:
    sampling = request.sampling
    for name in (
        "min_p", "top_a", "frequency_penalty", "presence_penalty", "repetition_penalty",
        "logit_bias", "top_logprobs",
    ):  # fmt: skip
        drops.drop_if(name, given=getattr(sampling, name))
    if sampling.seed is not None:
        drops.drop("seed")
    drops.drop_if("logprobs", given=sampling.has_logprobs)
    drops.drop_if("verbosity", given=request.verbosity)
    if request.cache_key:
        drops.note("prompt_cache_key")


def _put(body: dict[str, Any], field: str, value: str) -> None:
    """Set a field that is named with dots."""
    *parents, name = field.split(".")
    for parent in parents:
        body = body.setdefault(parent, {})
    body[name] = value
