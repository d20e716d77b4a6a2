"""OpenAI's embeddings, native (pure)."""

from collections.abc import Mapping
from typing import Any

from routing import jsonedit
from routing.dialects import fields, openai
from routing.dialects.base import Demand, Inbound, Outbound, PathParts, Quirks
from routing.dialects.content import Tally
from routing.surfaces import Surface


def decode(*, surface: Surface, raw: bytes, headers: Mapping[str, str], path: PathParts) -> Inbound:
    """Read an embeddings request. Raises: RelayError (400) naming the wrong field."""
    del path  # the body says it all
    document = jsonedit.read(raw)
    body = document.value
    tally = Tally()
    model = fields.model(body)
    given = body.get("input")
    if given is None or given in ("", []):
        fields.refuse_missing("input", "a text, or an array of texts or of token numbers")
    if type(given) not in (str, list):
        fields.refuse_type(given, "a string or an array", "input")
    if type(given) is list and any(type(item) is dict for item in given):
        tally.other(given, "input")  # media, at the vendors that embed them
    openai.refuse_stored(body)
    return Inbound(
        surface=surface,
        model=model,
        is_stream=False,
        document=document,
        content=tally.content(),
        headers=openai.forwarded_headers(headers),
    )


def demand(inbound: Inbound) -> Demand:
    """Tell the most that the request may use: its own bytes, a token has at least one."""
    return Demand(
        prompt_bytes=len(inbound.raw),
        has_remote_content=inbound.content.has_remote,
        has_output=False,
    )


def encode(
    inbound: Inbound,
    *,
    upstream_name: str,
    quirks: Quirks,
    account_tag: str,
    output_limit: int | None,
) -> Outbound:
    """Make the vendor's request: the model's name is the only edit."""
    del account_tag, output_limit  # no field for either in this dialect
    changes: dict[jsonedit.Path, Any] = {("model",): upstream_name}
    return openai.outbound(inbound, "embeddings", changes, quirks, account_tag="")
