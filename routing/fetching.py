"""Fetches what a caller's links name, for vendors that take no links: bytes in memory, guarded.

HTTPS on its own port to public addresses only; each redirect is checked again, and the address
that was checked is the one that is spoken to. Nothing of the caller but the link leaves.
"""

import asyncio
import base64
import re
import ssl
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urljoin, urlsplit

import msgspec

from routing import addresses
from routing.conversation import (
    Audio,
    Document,
    Image,
    Part,
    Request,
    ToolResult,
    Video,
)
from routing.deadline import Deadline
from routing.errors import Code, RelayError
from routing.http_head import target_of
from routing.translators import media
from routing.transport import Broken, Connection, Connections, Unreached

BYTES_MAX: Final = 10 << 20
LINKS_MAX: Final = 20
REDIRECTS_MAX: Final = 3
TIMEOUT_S: Final = 10
CONNECT_TIMEOUT_S: Final = 5
PARALLEL: Final = 4
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final[Mapping[str, str]] = {
    "accept": "image/*, application/pdf, audio/*, video/*, text/*",
    "accept-encoding": "identity",
    "user-agent": "BananaRouter-fetch/1",
}
# Types that the first bytes do not show; what else a server claims is not believed.
_CLAIMED: Final = ("text/", "audio/", "video/", "image/heic", "image/heif", "application/json")

Linked = Image | Audio | Video | Document
_YOUTUBE: Final = re.compile(r"https://(www\.|m\.)?(youtube\.com|youtu\.be)/", re.IGNORECASE)
_Linked = (Image, Audio, Video, Document)


async def inline(request: Request, kinds: Iterable[type[Linked]]) -> Request:
    """Return the request with the content of its links inside. Raises: RelayError (400)."""
    wanted = tuple(kinds)
    links = links_of(request, wanted)
    if not links:
        return request
    if len(links) > LINKS_MAX:
        raise _refusal(f"The request has more than {LINKS_MAX} links to fetch: send the content.")
    gate = asyncio.Semaphore(PARALLEL)

    async def one(url: str) -> tuple[str, tuple[str, str]]:
        async with gate:
            return url, await fetch(url)

    fetched = dict(await asyncio.gather(*map(one, sorted(links))))
    turns = tuple(
        msgspec.structs.replace(turn, parts=_inlined(turn.parts, fetched, wanted))
        for turn in request.turns
    )
    return msgspec.structs.replace(request, turns=turns)


def links_of(request: Request, kinds: tuple[type[Linked], ...]) -> set[str]:
    """Return the links of these kinds of content."""
    return {part.url for part in _linked(request) if _is_wanted(part, kinds)}


async def fetch(url: str) -> tuple[str, str]:
    """Return type and base64 of what a link names. Raises: RelayError (400)."""
    connections = Connections(
        tls=ssl.create_default_context(),
        connect_timeout_s=CONNECT_TIMEOUT_S,
        may_reach=addresses.may_fetch,
    )
    try:
        with Deadline(TIMEOUT_S):
            return await _followed(connections, url)
    except (Unreached, Broken, TimeoutError) as error:
        raise _refusal("A link could not be fetched: send the content itself.") from error
    finally:
        connections.close()


async def _followed(connections: Connections, url: str) -> tuple[str, str]:
    for _ in range(REDIRECTS_MAX + 1):
        check(url)
        connection = await connections.request(method="GET", url=url, headers=_HEADERS, body=b"")
        location = connection.fields.get(b"location")
        if connection.status in _REDIRECTS and location:
            connection.abort()
            url = urljoin(url, location.decode("latin-1"))
            continue
        if connection.status != 200:
            connection.abort()
            raise _refusal(f"A link answered with status {connection.status}: send the content.")
        return await _content(connection)
    raise _refusal(f"A link leads on more than {REDIRECTS_MAX} times: send the content itself.")


def check(url: str) -> None:
    """Refuse what is not an HTTPS link on its own port. Raises: RelayError (400)."""
    try:
        origin = target_of(url).origin
    except ValueError as error:
        raise _refusal("A link is not a URL that can be fetched.") from error
    if addresses.is_allowed(origin.host):
        return
    if not origin.is_tls or origin.port != 443 or urlsplit(url).username:
        raise _refusal("Links must be https: and on port 443.")


async def _content(connection: Connection) -> tuple[str, str]:
    parts: list[bytes] = []
    size = 0
    while chunk := await connection.chunk():
        parts.append(chunk)
        size += len(chunk)
        if size > BYTES_MAX:
            connection.abort()
            raise _refusal(f"A link names more than {BYTES_MAX >> 20} MiB: send less.")
    connection.leave()
    data = base64.b64encode(b"".join(parts)).decode()
    claimed = connection.fields.get(b"content-type", b"").decode("latin-1")
    claimed = claimed.partition(";")[0].strip().lower()
    mime = media.sniff(data) or (claimed if claimed.startswith(_CLAIMED) else "")
    if not mime:
        raise _refusal("A link names neither a picture, a document, sound nor film.")
    return mime, data


def _is_wanted(part: Part, kinds: tuple[type, ...]) -> bool:
    if not isinstance(part, _Linked) or not isinstance(part, kinds) or not part.url:
        return False
    # Films of YouTube are no files: Gemini alone takes them, by their link ([mem], 2026-11).
    return not (isinstance(part, Video) and _YOUTUBE.match(part.url))


def _linked(request: Request) -> Iterable[Linked]:
    for turn in request.turns:
        for part in turn.parts:
            if isinstance(part, _Linked):
                yield part
            elif isinstance(part, ToolResult):
                yield from (inner for inner in part.parts if isinstance(inner, _Linked))


def _inlined(
    parts: tuple[Part, ...], fetched: Mapping[str, tuple[str, str]], kinds: tuple[type, ...]
) -> tuple[Part, ...]:
    return tuple(_filled(part, fetched, kinds) for part in parts)


def _filled(part: Part, fetched: Mapping[str, tuple[str, str]], kinds: tuple[type, ...]) -> Part:
    if isinstance(part, ToolResult):
        return msgspec.structs.replace(part, parts=_inlined(part.parts, fetched, kinds))
    if isinstance(part, _Linked) and _is_wanted(part, kinds):
        mime, data = fetched[part.url]
        return msgspec.structs.replace(part, mime=mime, data=data, url="")
    return part


def _refusal(message: str) -> RelayError:
    return RelayError(code=Code.IMAGE_DOWNLOAD, message=message)
