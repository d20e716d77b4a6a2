"""OpenAI's images: generations, edits and variations, native (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from billing.usage import UnitClass
from routing.dialects import fields, openai_forms
from routing.dialects.base import Content, Demand, Inbound, Outbound, PathParts, Quirks
from routing.dialects.content import Tally, service_tier
from routing.surfaces import Surface

IMAGES_MAX: Final = 10  # n, in OpenAI's schema (openapi.yaml 2.3.0)
PARTIAL_IMAGES_MAX: Final = 3  # likewise
# gpt-image-1 writes 6,240 tokens for its largest picture, 1536x1024 in high quality
# (platform.openai.com/docs/guides/image-generation [mem, 2026-11]); gpt-image-2's largest,
# 3840x2160, has 5.3 times its pixels.
IMAGE_TOKENS_MAX: Final = 40_000
PARTIAL_TOKENS_MAX: Final = 500  # 100 each (the same page)
_PATHS: Final[Mapping[Surface, str]] = {
    Surface.IMAGES: "images/generations",
    Surface.IMAGE_EDITS: "images/edits",
    Surface.IMAGE_VARIATIONS: "images/variations",
}
_PICTURES: Final = ("image", "image[]", "images", "images[]", "mask")


def decode(*, surface: Surface, raw: bytes, headers: Mapping[str, str], path: PathParts) -> Inbound:
    """Read a request for images. Raises: RelayError (400) naming the wrong field."""
    del path  # the body says it all
    document, form = openai_forms.read(raw, headers)
    body = document.value
    model = fields.model(body)
    if surface is not Surface.IMAGE_VARIATIONS and not fields.text(body, "prompt"):
        fields.refuse_missing("prompt", "a description of the image")
    tally = Tally()
    tally.images = len(openai_forms.files(form, *_PICTURES))
    if form is None:
        _read_pictures(body, tally)
    if surface is not Surface.IMAGES and not tally.images:
        fields.refuse_missing("image", "the image to start from")
    openai_forms.refuse_fields(body, read_elsewhere=_PICTURES)
    content = tally.content()
    return Inbound(
        surface=surface,
        model=model,
        is_stream=fields.flag(body, "stream"),
        document=document,
        content=Content(
            images=content.images,
            inline_bytes=content.inline_bytes,
            measures={UnitClass.IMAGE: _count(body)},
        ),
        headers=openai_forms.headers_of(form, headers),
        form=form,
        is_drained=True,
    )


def demand(inbound: Inbound) -> Demand:
    """Tell the most that the request may use. Raises: RelayError (400)."""
    partial = fields.integer(inbound.body, "partial_images") or 0
    if partial > PARTIAL_IMAGES_MAX:
        fields.refuse_range("partial_images", PARTIAL_IMAGES_MAX)
    count = _count(inbound.body)
    return Demand(
        prompt_bytes=openai_forms.text_bytes(inbound),
        images=inbound.content.images,
        output_tokens=IMAGE_TOKENS_MAX + partial * PARTIAL_TOKENS_MAX,
        choices=count,
        measures={UnitClass.IMAGE: count},
        has_limit=False,
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
    """Make the vendor's request; a vendor that tells accounts apart gets our tag as its `user`.

    Only in place of what the caller sent: nothing else is ever added to a request for images.
    """
    del output_limit  # no field for it
    tag = account_tag if quirks.account_field and "user" in inbound.body else ""
    return openai_forms.outbound(inbound, _PATHS[inbound.surface], upstream_name, quirks, tag)


def _count(body: Mapping[str, Any]) -> int:
    count = fields.integer(body, "n", at_least=1) or 1
    if count > IMAGES_MAX:
        fields.refuse_range("n", IMAGES_MAX)
    return count


def _read_pictures(body: Mapping[str, Any], tally: Tally) -> None:
    """Count pictures given in JSON: data URLs or links, plain or in objects."""
    for name in _PICTURES:
        given = body.get(name)
        listed = given if type(given) is list else [given]
        for index, item in enumerate(listed):
            param = f"{name}[{index}]" if type(given) is list else name
            if type(item) is dict:
                _read_picture(item, param, tally)
            elif item is not None:
                tally.image(item, param)


def _read_picture(item: Mapping[str, Any], param: str, tally: Tally) -> None:
    fields.refuse_set(item, ("file_id", "id"), f"{param}.")
    link = item.get("image_url", item.get("url"))
    if link is None:
        fields.refuse_missing(f"{param}.image_url", "the image, as a data URL or a link")
    tally.image(link.get("url") if type(link) is dict else link, f"{param}.image_url")
