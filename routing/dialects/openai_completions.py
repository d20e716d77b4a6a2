"""OpenAI's legacy completions, native (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from routing import jsonedit
from routing.dialects import fields, openai
from routing.dialects.base import Demand, Inbound, Outbound, PathParts, Quirks
from routing.dialects.content import Tally, service_tier
from routing.surfaces import Surface

CHOICES_MAX: Final = 128


def decode(*, surface: Surface, raw: bytes, headers: Mapping[str, str], path: PathParts) -> Inbound:
    """Read a legacy completion's request. Raises: RelayError (400) naming the wrong field."""
    del path  # the body says it all
    document = jsonedit.read(raw)
    body = document.value
    model = fields.model(body)
    prompt = body.get("prompt")
    if prompt is None or prompt in ("", []):
        fields.refuse_missing("prompt", "a text, or an array of texts or of token numbers")
    if type(prompt) not in (str, list):
        fields.refuse_type(prompt, "a string or an array", "prompt")
    openai.refuse_stored(body)
    return Inbound(
        surface=surface,
        model=model,
        is_stream=fields.flag(body, "stream"),
        document=document,
        content=Tally().content(),
        wants_stream_usage=fields.mapping(body, "stream_options").get("include_usage") is True,
        headers=openai.forwarded_headers(headers),
    )


def demand(inbound: Inbound) -> Demand:
    """Tell the most that the request may use: each prompt of a list has its own choices."""
    body, prompt = inbound.body, inbound.body["prompt"]
    choices = fields.integer(body, "n", at_least=1) or 1
    drawn = max(choices, fields.integer(body, "best_of", at_least=1) or 1)
    is_several = type(prompt) is list and type(prompt[0]) is not int
    total = drawn * (len(prompt) if is_several else 1)
    if total > CHOICES_MAX:
        fields.refuse_range("n", CHOICES_MAX)
    return Demand(
        # A prompt may be echoed into the answer; a token has at least one byte.
        prompt_bytes=len(inbound.raw) * drawn,
        output_tokens=fields.integer(body, "max_tokens"),
        choices=total,
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
    del account_tag  # `user` is the only field for it here, and its vendors keep it
    changes: dict[jsonedit.Path, Any] = {("model",): upstream_name}
    if inbound.is_stream and not inbound.wants_stream_usage and quirks.takes_stream_options:
        changes["stream_options", "include_usage"] = True
    if output_limit is not None:
        changes[("max_tokens",)] = output_limit
    return openai.outbound(inbound, "completions", changes, quirks, account_tag="")
