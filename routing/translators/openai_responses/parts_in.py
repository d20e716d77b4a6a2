"""Parts of a Responses message or of a tool's output (pure)."""

from typing import Any

from routing.conversation import Audio, Document, Image, Part, Refusal, Text
from routing.dialects import fields
from routing.errors import Code
from routing.translators import media

_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})


def read(content: Any, param: str) -> tuple[Part, ...]:
    """Read text or an array of parts. Raises: RelayError (400) naming the part."""
    if content is None:
        return ()
    if type(content) is str:
        return (Text(text=content),)
    if type(content) is not list:
        fields.refuse_type(content, "a string or an array", param)
    return tuple(
        _part(fields.entry(part, f"{param}[{index}]"), f"{param}[{index}]")
        for index, part in enumerate(content)
    )


def _part(part: dict[str, Any], param: str) -> Part:
    kind = fields.text(part, "type", f"{param}.")
    if kind in _TEXTS:
        return Text(text=fields.text(part, "text", f"{param}.") or "")
    if kind == "refusal":
        return Refusal(text=fields.text(part, "refusal", f"{param}.") or "")
    if kind in ("input_image", "computer_screenshot"):
        return _image(part, param)
    if kind == "input_file":
        return _document(part, param)
    if kind != "input_audio":
        fields.refuse(
            Code.UNSUPPORTED,
            f"`{param}.type` is no part that can be given to this model. Use input_text, "
            "input_image, input_file or input_audio.",
            f"{param}.type",
        )
    return _audio(part, param)


def _image(part: dict[str, Any], param: str) -> Image:
    fields.refuse_set(part, ("file_id",), f"{param}.")
    url = fields.text(part, "image_url", f"{param}.")
    if not url:
        fields.refuse_missing(f"{param}.image_url", "the picture as a link or a data URL")
    detail = fields.text(part, "detail", f"{param}.") or ""
    inside = media.split(url)
    if inside is None:
        return Image(url=url, detail=detail)
    mime, data = inside
    return Image(mime=mime, data=data, detail=detail)


def _document(part: dict[str, Any], param: str) -> Document:
    fields.refuse_set(part, ("file_id",), f"{param}.")
    name = fields.text(part, "filename", f"{param}.") or ""
    url = fields.text(part, "file_url", f"{param}.")
    data = fields.text(part, "file_data", f"{param}.")
    if data and "://" in data[:16]:
        url, data = data, None
    if data:
        mime, inside = media.split(data) or (media.sniff(data, "application/pdf"), data)
        return Document(mime=mime, data=inside, name=name)
    if not url:
        fields.refuse_missing(f"{param}.file_data", "the file as base64 or a link")
    return Document(url=url, name=name)


def _audio(part: dict[str, Any], param: str) -> Audio:
    given = fields.mapping(part, "input_audio", f"{param}.")
    data = fields.text(given, "data", f"{param}.input_audio.")
    if not data:
        fields.refuse_missing(f"{param}.input_audio.data", "the sound as base64")
    form = fields.text(given, "format", f"{param}.input_audio.") or "wav"
    return Audio(mime=media.audio_mime(form), data=data)
