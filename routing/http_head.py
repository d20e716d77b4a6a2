"""The heads of HTTP/1.1 messages to and from vendors (pure)."""

import functools
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit


class Origin(NamedTuple):
    """Whom a connection speaks to."""

    is_tls: bool
    host: str
    port: int


class Target(NamedTuple):
    """What a URL says to a client."""

    origin: Origin
    host_header: str
    path: str


@functools.lru_cache(maxsize=1024)
def target_of(url: str) -> Target:
    """Take an encoded http or https URL apart. Raises: ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("not a vendor's URL")
    is_tls = parts.scheme == "https"
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    port = parts.port or (443 if is_tls else 80)
    shown = f"[{host}]" if ":" in host else host
    if port != (443 if is_tls else 80):
        shown = f"{shown}:{port}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not re.fullmatch(r"/[\x21-\x7e]*", path) or not re.fullmatch(r"[\x21-\x7e]+", shown):
        raise ValueError("the URL is not encoded")
    return Target(Origin(is_tls, host, port), shown, path)


# What the transport itself says; from a caller it could make one request look like two.
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "keep-alive",
                   "upgrade", "te", "trailer", "expect"})  # fmt: skip


def request_head(*, method: str, target: Target, headers: Mapping[str, str], size: int) -> bytes:
    """Return the request's head. Raises: ValueError for a field that is none."""
    lines = [f"{method} {target.path} HTTP/1.1", f"host: {target.host_header}"]
    is_encoding_given = False
    for name, value in headers.items():
        lowered = name.lower()
        if lowered in _OURS:
            continue
        if lowered == "accept-encoding":
            is_encoding_given = True
        lines.append(f"{name}: {value}")
    if not is_encoding_given:
        lines.append("accept-encoding: identity")
    if size or method != "GET":
        lines.append(f"content-length: {size}")
    lines.append("connection: keep-alive\r\n\r\n")
    text = "\r\n".join(lines)
    breaks = len(lines) + 1
    if text.count("\r") != breaks or text.count("\n") != breaks or "\0" in text:
        raise ValueError("a header holds a line break")
    return text.encode("latin-1")


class Headers(Mapping[str, str]):
    """An answer's header fields; names in any case, repeated fields joined."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[bytes, bytes]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower().encode("latin-1")].decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def joined(pairs: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return fields by lower-case name; repeated ones are one list (RFC 9110, section 5.2)."""
    fields = {name.lower(): value for name, value in pairs}
    if len(fields) == len(pairs):
        return fields
    fields = {}
    for name, value in pairs:
        lowered = name.lower()
        known = fields.get(lowered)
        fields[lowered] = value if known is None else known + b", " + value
    return fields
