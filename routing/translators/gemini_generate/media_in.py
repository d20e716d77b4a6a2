"""inlineData and fileData as pictures, sound, film and documents (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from routing.conversation import Audio, Document, Image, Part, Seal, Video
from routing.dialects import fields
from routing.translators import media
from routing.translators.gemini_generate import spelling

_DETAILS: Final = {
    "MEDIA_RESOLUTION_LOW": "low",
    "MEDIA_RESOLUTION_HIGH": "high",
    "MEDIA_RESOLUTION_ULTRA_HIGH": "original",
}
FILMS: Final = ("https://www.youtube.com/", "https://youtube.com/", "https://youtu.be/")
_ENDINGS: Final = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "mov": "video/quicktime",
    "pdf": "application/pdf",
    "txt": "text/plain",
}


def detail(told: Any) -> str:
    """Return the detail of pictures that a resolution means; "" where it is the model's choice."""
    level = spelling.get(told, "level") if isinstance(told, Mapping) else told
    return _DETAILS.get(level, "") if type(level) is str else ""


def mime_of(url: str) -> str:
    """Return the type that a link's ending tells; "" when it tells none."""
    path = url.partition("?")[0].partition("#")[0]
    return _ENDINGS.get(path.rpartition(".")[2].lower(), "")


def read(
    part: Mapping[str, Any], param: str, *, default_detail: str = "", seal: Seal | None = None
) -> Part:
    """Read a part with inlineData or fileData. Raises: RelayError (400) naming the field."""
    resolution = spelling.get(part, "mediaResolution", f"{param}.")
    wanted = default_detail if resolution is None else detail(resolution)
    film = spelling.mapping(part, "videoMetadata", f"{param}.") or None
    inline = spelling.mapping(part, "inlineData", f"{param}.")
    if inline:
        return _made(_inline(inline, f"{param}.inlineData."), wanted, film, seal)
    file = spelling.mapping(part, "fileData", f"{param}.")
    return _made(_file(file, f"{param}.fileData."), wanted, film, seal)


def _inline(told: Mapping[str, Any], where: str) -> dict[str, str]:
    data = told.get("data")
    if type(data) is not str:
        if data is None:
            fields.refuse_missing(f"{where}data", "the content as base64")
        fields.refuse_type(data, "a string of base64", f"{where}data")
    data = data.replace("-", "+").replace("_", "/")  # Google's SDK writes the URL's alphabet
    mime = _mime(told, where) or media.sniff(data, "application/octet-stream")
    return {
        "mime": mime,
        "data": data + "=" * (-len(data) % 4),
        "name": spelling.text(told, "displayName", where),
    }


def _file(told: Mapping[str, Any], where: str) -> dict[str, str]:
    url = spelling.text(told, "fileUri", where)
    if not url:
        fields.refuse_missing(f"{where}fileUri", "the link to the content")
    mime = _mime(told, where)
    name = spelling.text(told, "displayName", where)
    inside = media.split(url)
    if inside is not None:
        return {"mime": mime or inside[0], "data": inside[1], "name": name}
    if not mime:
        mime = "video/mp4" if url.startswith(FILMS) else mime_of(url)
    return {"mime": mime, "url": url, "name": name}


def _mime(told: Mapping[str, Any], where: str) -> str:
    return spelling.text(told, "mimeType", where).strip().lower()


def _made(told: dict[str, str], wanted: str, film: Any, seal: Seal | None) -> Part:
    mime, data, url = told["mime"], told.get("data", ""), told.get("url", "")
    match mime.partition("/")[0]:
        case "image":
            return Image(mime=mime, data=data, url=url, detail=wanted, seal=seal)
        case "audio":
            return Audio(mime=mime, data=data, url=url)
        case "video":
            return Video(mime=mime, data=data, url=url, native=film)
    return Document(mime=mime, data=data, url=url, name=told["name"])
