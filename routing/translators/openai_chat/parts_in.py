"""The parts of a client's messages: text, pictures, sound, films, documents (pure)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from routing.conversation import (
    Audio,
    Cache,
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    Video,
)
from routing.dialects import fields
from routing.readers.answer import dicts, word
from routing.translators import media
from routing.translators.openai_options import refuse_value

_TTLS: Final = ("5m", "1h")


def parts(content: Any, param: str) -> list[Part]:
    """Read a message's content: a string, or a list of parts. Raises: RelayError (400)."""
    if type(content) is str:
        return [Text(text=content)]
    if type(content) is not list:
        fields.refuse_type(content, "a string or an array", param)
    found: list[Part] = []
    for index, item in enumerate(content):
        where = f"{param}[{index}]"
        if type(item) is str:  # Mistral accepts a list of strings
            found.append(Text(text=item))
            continue
        part = fields.entry(item, where)
        kind = part.get("type")
        read = _READERS.get(kind) if type(kind) is str else None
        if read is None:
            refuse_value(f"{where}.type", ", ".join(_READERS))
        made = read(part, where)
        if made is not None:
            found.append(made)
    return found


def cache_mark(owner: Mapping[str, Any], prefix: str = "") -> Cache | None:
    """Read `cache_control`: Anthropic's mark in OpenRouter's chat completions."""
    mark = fields.mapping(owner, "cache_control", prefix)
    if not mark:
        return None
    ttl = mark.get("ttl")
    return Cache(ttl=ttl if ttl in _TTLS else "")


def _text(part: Mapping[str, Any], where: str) -> Part:
    return Text(text=_required(part, "text", where), cache=cache_mark(part, f"{where}."))


def _refusal(part: Mapping[str, Any], where: str) -> Part:
    return Refusal(text=_required(part, "refusal", where))


def _thinking(part: Mapping[str, Any], where: str) -> Part | None:  # noqa: ARG001 - of the table
    text = thought(part)
    return Reasoning(text=text) if text else None


def thought(part: Mapping[str, Any]) -> str:
    """Return what Mistral's models thought: a part with a list of texts in it (2026)."""
    told = part.get("thinking")
    return word(told) or "".join(word(piece.get("text")) for piece in dicts(told))


def _reference(part: Mapping[str, Any], where: str) -> None:
    """Leave out Mistral's numbers of sources: they name nothing outside its own answer."""


def _image(part: Mapping[str, Any], where: str) -> Part:
    told = part.get("image_url")
    inner = told if type(told) is dict else {"url": told}
    url = _required(inner, "url", f"{where}.image_url")
    detail = fields.text(inner, "detail", f"{where}.image_url.") or ""
    mark = cache_mark(part, f"{where}.")
    inline = media.split(url)
    if inline is None:
        return Image(url=url, detail=detail, cache=mark)
    return Image(mime=inline[0], data=inline[1], detail=detail, cache=mark)


def _audio(part: Mapping[str, Any], where: str) -> Part:
    told = part.get("input_audio")
    inner = told if type(told) is dict else {"data": told}  # Mistral: the data alone
    data = _required(inner, "data", f"{where}.input_audio")
    name = fields.text(inner, "format", f"{where}.input_audio.") or ""
    inline = media.split(data)
    if inline is not None:
        return Audio(mime=inline[0], data=inline[1])
    if data.startswith(("http://", "https://")):
        return Audio(url=data, mime=media.audio_mime(name) if name else "")
    mime = media.audio_mime(name) if name else media.sniff(data, "audio/wav")
    return Audio(mime=mime, data=data)


def _video(part: Mapping[str, Any], where: str) -> Part:
    told = part.get("video_url")
    url = _required(told if type(told) is dict else {"url": told}, "url", f"{where}.video_url")
    inline = media.split(url)
    return Video(url=url) if inline is None else Video(mime=inline[0], data=inline[1])


def _file(part: Mapping[str, Any], where: str) -> Part:
    inner = fields.entry(part.get("file"), f"{where}.file")
    return _document(
        _required(inner, "file_data", f"{where}.file"),
        fields.text(inner, "filename", f"{where}.file.") or "",
        cache_mark(part, f"{where}."),
    )


def _document_url(part: Mapping[str, Any], where: str) -> Part:
    told = part.get("document_url")
    url = _required(told if type(told) is dict else {"url": told}, "url", f"{where}.document_url")
    return _document(url, fields.text(part, "document_name", f"{where}.") or "", None)


def _document(data: str, name: str, mark: Cache | None) -> Document:
    inline = media.split(data)
    if inline is not None:
        return Document(mime=inline[0], data=inline[1], name=name, cache=mark)
    if "://" in data[:16]:
        return Document(url=data, name=name, cache=mark)
    return Document(mime=media.sniff(data, "application/pdf"), data=data, name=name, cache=mark)


def _required(owner: Mapping[str, Any], name: str, where: str) -> str:
    value = owner.get(name)
    if value is None:
        fields.refuse_missing(f"{where}.{name}", "what the part holds")
    if type(value) is not str:
        fields.refuse_type(value, "a string", f"{where}.{name}")
    return value


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any], str], Part | None]]] = {
    "text": _text,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
    "video_url": _video,
    "document_url": _document_url,
    "refusal": _refusal,
    "thinking": _thinking,
    "reference": _reference,
}
