"""OpenAI's moderations, native (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from routing import jsonedit
from routing.dialects import fields, openai, openai_forms
from routing.dialects.base import Demand, Inbound, Outbound, PathParts, Quirks
from routing.dialects.content import Tally, service_tier
from routing.surfaces import Surface

DEFAULT_MODEL: Final = "omni-moderation-latest"  # of the vendor's schema (openapi.yaml 2.3.0)


def decode(*, surface: Surface, raw: bytes, headers: Mapping[str, str], path: PathParts) -> Inbound:
    """Read a request for moderation. Raises: RelayError (400) naming the wrong field."""
    del path  # the body says it all
    document = jsonedit.read(raw)
    body = document.value
    model = fields.model({"model": DEFAULT_MODEL, **body})
    given = body.get("input")
    if given is None or given in ("", []):
        fields.refuse_missing("input", "a text, or an array of texts or of parts")
    if type(given) not in (str, list):
        fields.refuse_type(given, "a string or an array", "input")
    tally = Tally()
    for index, part in enumerate(given if type(given) is list else ()):
        if type(part) is not str:
            _read_part(fields.entry(part, f"input[{index}]"), f"input[{index}]", tally)
    openai_forms.refuse_fields(body, read_elsewhere=("input",))
    return Inbound(
        surface=surface,
        model=model,
        is_stream=False,
        document=document,
        content=tally.content(),
        headers=openai.forwarded_headers(headers),
    )


def demand(inbound: Inbound) -> Demand:
    """Tell the most that the request may use: its own bytes, and its images."""
    return Demand(
        prompt_bytes=len(inbound.raw) - inbound.content.inline_bytes,
        images=inbound.content.images,
        has_remote_content=inbound.content.has_remote,
        has_output=False,
        service_tier=service_tier(inbound.body.get("service_tier")),
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
    return openai_forms.outbound(inbound, "moderations", upstream_name, quirks)


def _read_part(part: Mapping[str, Any], param: str, tally: Tally) -> None:
    if part.get("type") == "text":
        fields.text(part, "text", f"{param}.")
    elif part.get("type") == "image_url":
        image = part.get("image_url")
        link = image.get("url") if type(image) is dict else image
        tally.image(link, f"{param}.image_url.url")
    else:
        tally.other(part, param)
