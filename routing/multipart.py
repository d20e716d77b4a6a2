"""Forms (`multipart/form-data`), read strictly and edited in place (pure).

What could be read in two ways is refused: a vendor's parser may be another one than ours, and a
second `model` that only one of both sees would pass by the bill. What is not edited keeps its
every byte, and nothing is ever written to a disk.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from routing.error_codes import Code, RelayError

PARTS_MAX: Final = 128
HEAD_BYTES_MAX: Final = 4_096  # of all headers of one part
NAME_CHARS_MAX: Final = 100
TEXT_BYTES_MAX: Final = 8 << 20  # samples of speakers come as data URLs

# RFC 2046 5.1.1, without the space, which only quoted boundaries may hold.
_CONTENT_TYPE: Final = re.compile(
    r"multipart/form-data\s*;\s*boundary=(\"?)([0-9A-Za-z'()+_,\-./:=?]{1,70})\1"
    r"(?:\s*;\s*charset=\"?utf-8\"?)?\s*",
    re.IGNORECASE,
)
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_PARAMETER: Final = re.compile(
    rb';[ \t]*([A-Za-z*]+)=("(?:[^"\\]|\\.)*"|[!#$%&\'*+.^_`|~0-9A-Za-z-]+)[ \t]*'
)
_CHARSET: Final = re.compile(rb"charset=\"?([\w.:-]+)", re.IGNORECASE)
_PLAIN_CODINGS: Final = frozenset({b"binary", b"7bit", b"8bit"})
_PARAMETERS: Final = frozenset({b"name", b"filename", b"filename*"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part: its name, and where its content lies in the body."""

    name: str
    is_file: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form, its bytes, and the place where another part may be put in."""

    raw: bytes
    boundary: bytes
    parts: tuple[Part, ...]
    close: int

    def content(self, part: Part) -> bytes:
        """Return the bytes of a part."""
        return self.raw[part.start : part.end]

    def named(self, *names: str) -> Iterator[Part]:
        """Yield the parts of these names, in their order."""
        return (part for part in self.parts if part.name in names)

    def texts(self) -> dict[str, str]:
        """Return every field that is no file; of an array (`name[]`) the values, line by line.

        Raises: RelayError (400) for one that is too long, or no UTF-8.
        """
        found: dict[str, str] = {}
        for part in self.parts:
            if not part.is_file:
                text = self._text(part)
                found[part.name] = f"{found[part.name]}\n{text}" if part.name in found else text
        return found

    def _text(self, part: Part) -> str:
        if part.end - part.start > TEXT_BYTES_MAX:
            _refuse(
                f"`{part.name}` has more than {TEXT_BYTES_MAX} bytes. Send a file as a file: "
                "with a filename.",
                part.name,
            )
        try:
            return self.content(part).decode()
        except UnicodeDecodeError:
            raise RelayError(
                code=Code.INVALID_UTF8,
                message=f"`{part.name}` is not valid UTF-8. Encode the field as UTF-8.",
                param=part.name,
            ) from None


def read(raw: bytes, content_type: str) -> Form:
    """Take a form apart. Raises: RelayError (400) that says what is wrong with it."""
    boundary = _boundary(content_type)
    dash = b"--" + boundary
    position = 2 if raw.startswith(b"\r\n") else 0
    if not raw.startswith(dash, position):
        _refuse("The form must begin with its boundary. Check the boundary of `Content-Type`.")
    position += len(dash)
    parts: list[Part] = []
    while not raw.startswith(b"--", position):
        if len(parts) == PARTS_MAX:
            raise RelayError(
                code=Code.TOO_MANY_ITEMS,
                message=f"The form has more than {PARTS_MAX} parts. Send fewer.",
            )
        part = _part(raw, position, dash)
        position = part.end + 2 + len(dash)
        parts.append(part)
    if not parts:
        _refuse("The form is empty. Send each field as a part of its own.")
    if raw[position + 2 :] not in {b"", b"\r\n"} or raw.count(dash) != len(parts) + 1:
        _refuse(
            "The form's boundary stands inside a part, or something follows the last one, so "
            "that it could be read in two ways. Choose another boundary."
        )
    _refuse_twins(parts)
    return Form(raw=raw, boundary=boundary, parts=tuple(parts), close=parts[-1].end)


def edit(form: Form, changes: Mapping[str, str]) -> bytes:
    """Return the form's bytes with these fields set, everything else the same.

    A new field goes to the end. Raises: RelayError (400) where a value holds the boundary.
    """
    dash = b"--" + form.boundary
    pieces: list[tuple[int, int, bytes]] = []
    for name, text in changes.items():
        value = text.encode()
        if dash in value:
            _refuse("The form's boundary stands inside a value. Choose another boundary.", name)
        part = next(form.named(name), None)
        if part is None:
            head = f'Content-Disposition: form-data; name="{name}"'.encode()
            added = b"\r\n" + dash + b"\r\n" + head + b"\r\n\r\n" + value
            pieces.append((form.close, form.close, added))
        else:
            pieces.append((part.start, part.end, value))
    return _spliced(form.raw, pieces)


def _spliced(raw: bytes, pieces: list[tuple[int, int, bytes]]) -> bytes:
    kept: list[bytes] = []
    position = 0
    for start, end, value in sorted(pieces, key=lambda piece: piece[:2]):
        kept += [raw[position:start], value]
        position = end
    return b"".join([*kept, raw[position:]])


def _boundary(content_type: str) -> bytes:
    found = _CONTENT_TYPE.fullmatch(content_type)
    if found is None:
        raise RelayError(
            code=Code.INVALID_HEADER,
            message="`Content-Type` of a form must be multipart/form-data with one boundary of "
            "1 to 70 characters, and nothing else. Let your HTTP client write it.",
            param="Content-Type",
        )
    return found[2].encode("ascii")


def _part(raw: bytes, position: int, dash: bytes) -> Part:
    """Read the part whose delimiter ends at `position`."""
    head_end = raw.find(b"\r\n\r\n", position, position + HEAD_BYTES_MAX)
    if not raw.startswith(b"\r\n", position) or head_end < 0:
        _refuse(
            "A part of the form does not begin with its headers on lines of their own "
            f"({HEAD_BYTES_MAX} bytes at most). Let your HTTP client write the form."
        )
    start = head_end + 4
    end = raw.find(b"\r\n" + dash, start)
    if end < 0:
        _refuse("The form ends in the middle of a part. Send it whole.")
    name, is_file = _head(raw[position + 2 : head_end], end - start)
    return Part(name=name, is_file=is_file, start=start, end=end)


def _head(head: bytes, length: int) -> tuple[str, bool]:
    """Read a part's headers: its name, and whether it is a file."""
    headers: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n"):
        found = _HEADER.fullmatch(line)
        if found is None or found[1].lower() in headers:
            _refuse("A part of the form has a broken or repeated header. Mend it.")
        headers[found[1].lower()] = found[2].strip()
    name, is_file = _disposition(headers.pop(b"content-disposition", b""))
    kind = headers.pop(b"content-type", b"")
    charset = _CHARSET.search(kind)
    if not is_file and charset and charset[1].lower() not in {b"utf-8", b"us-ascii"}:
        _refuse(f"`{name}` is not in UTF-8. Encode the field as UTF-8.", name)
    coding = headers.pop(b"content-transfer-encoding", b"binary").lower()
    told = headers.pop(b"content-length", b"%d" % length)
    if headers or coding not in _PLAIN_CODINGS or told != b"%d" % length:
        _refuse(
            f"`{name}` has a header that could change how it is read. Send its bytes as they "
            "are, with Content-Disposition and Content-Type alone.",
            name,
        )
    return name, is_file


def _disposition(value: bytes) -> tuple[str, bool]:
    kind, semicolon, rest = value.partition(b";")
    parameters: dict[bytes, bytes] = {}
    rest = semicolon + rest
    while found := _PARAMETER.match(rest):
        key = found[1].lower()
        if key in parameters or key not in _PARAMETERS:
            break
        parameters[key] = found[2]
        rest = rest[found.end() :]
    name = parameters.get(b"name", b"").strip(b'"')
    is_plain = name.isascii() and b"\\" not in name and b'"' not in name
    if kind.strip().lower() != b"form-data" or rest or not is_plain:
        _refuse(
            "A part of the form has no plain Content-Disposition: form-data with a name (and a "
            "filename, if it is a file), each once. Let your HTTP client write it."
        )
    if not 0 < len(name) <= NAME_CHARS_MAX:
        _refuse(f"A part of the form must have a name of 1 to {NAME_CHARS_MAX} characters.")
    return name.decode("ascii"), bool(parameters.keys() & {b"filename", b"filename*"})


def _refuse_twins(parts: list[Part]) -> None:
    """Refuse a field twice, also as `name` and `name[]`: only `name[]` may repeat."""
    spelled: dict[str, str] = {}
    for part in parts:
        base = part.name.partition("[")[0].lower()
        is_array = part.name.endswith("[]")
        if base in spelled and not (is_array and spelled[base] == part.name):
            raise RelayError(
                code=Code.DUPLICATE_KEY,
                message=f"The form has `{base[:NAME_CHARS_MAX]}` twice, so that it could be read "
                "in two ways. Send each field once (an array as `name[]`).",
                param=part.name,
            )
        spelled[base] = part.name


def _refuse(message: str, param: str | None = None) -> NoReturn:
    raise RelayError(code=Code.INVALID_VALUE, message=message, param=param)
