"""Byte-exact edits of a JSON object: what is not edited keeps its every byte (pure).

Two paths. A body that our serializer writes back byte for byte is *canonical*: compact, no
duplicate key at any depth; editing its parsed form and writing that is byte-exact, at C speed.
Any other body is spliced: msgspec tells where the values of the top level lie.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec
import orjson

from routing.error_codes import Code, RelayError

DEPTH_MAX = 64
ARRAY_ITEMS_MAX = 100_000
ITEMS_MAX = 400_000  # of the whole body, so that parsing cannot fill the memory

_SMALL_BYTES = 4_096  # shorter than the longest array that is allowed
_SPACE = re.compile(rb"[ \t\r\n]*+")
_KEY = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_STRING_OR_COMMA = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|(,)', re.DOTALL)
_RAW_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_RAW_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])

# Where a change happens: keys, and indexes of arrays that exist.
Path = tuple[str | int, ...]
Changes = Mapping[Path, Any]


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object, its bytes, and whether these are what our serializer writes."""

    raw: bytes
    value: dict[str, Any]
    is_canonical: bool


def read(raw: bytes) -> Document:
    """Parse a JSON object within the limits of depth and size.

    Duplicate keys are refused at every depth: a vendor may read the first of two, we the
    last, and a second `model` or `max_tokens` would pass by the bill.

    Raises: RelayError (400).
    """
    _refuse_too_many(raw)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        _refuse_invalid(raw, error)
    if type(value) is not dict:
        raise RelayError(
            code=Code.INVALID_TYPE,
            message="The body must be a JSON object: write the fields between { and }.",
        )
    # Few brackets cannot be deep; counting them is cheap in a small body only.
    if len(raw) > _SMALL_BYTES or raw.count(b"{") + raw.count(b"[") > DEPTH_MAX:
        _refuse_deep(value)
    is_canonical = orjson.dumps(value) == raw
    if not is_canonical and _count_keys(raw) != _count_parsed_keys(value):
        raise RelayError(
            code=Code.DUPLICATE_KEY,
            message=(
                "An object in the body has the same key twice, so that it could be read in "
                "two ways. Send each key once (escaped spellings count as the same key)."
            ),
        )
    return Document(raw, value, is_canonical)


def edit(document: Document, changes: Changes) -> bytes:
    """Return the document's bytes with these values set, everything else the same.

    New keys go to the end of their object. A parent that is absent or null is created.
    """
    if not changes:
        return document.raw
    tree = _tree(changes)
    if document.is_canonical:
        return orjson.dumps(_applied(document.value, tree))
    start = _skip(document.raw, 0)
    return document.raw[:start] + _spliced(document.raw[start:], tree)


class _Tree(dict[str | int, Any]):
    """Changes below one object or array, by key; a leaf is the value that is wanted."""

    @property
    def is_of_array(self) -> bool:
        return type(next(iter(self))) is int


def _tree(changes: Changes) -> _Tree:
    root = _Tree()
    for path, wanted in changes.items():
        node = root
        for key in path[:-1]:
            node = node.setdefault(key, _Tree())
        node[path[-1]] = wanted
    return root


def _applied(value: Any, wanted: Any) -> Any:
    if not isinstance(wanted, _Tree):
        return wanted
    if type(value) is list and wanted.is_of_array:
        return [_applied(item, wanted.get(i, item)) for i, item in enumerate(value)]
    edited = dict(value) if type(value) is dict else {}
    for key, leaf in wanted.items():
        edited[key] = _applied(edited.get(key), leaf)
    return edited


def _spliced(raw: bytes, wanted: Any) -> bytes:
    """Write the change into a value of unknown spacing."""
    if not isinstance(wanted, _Tree) or raw[:1] != (b"[" if wanted.is_of_array else b"{"):
        return orjson.dumps(_applied(None, wanted))
    spans, end = _members(raw)
    pieces: list[tuple[int, int, bytes]] = []
    added: list[bytes] = []
    for key, leaf in wanted.items():
        span = spans.get(key)
        if span is None:
            added.append(orjson.dumps(key) + b":" + orjson.dumps(_applied(None, leaf)))
        else:
            pieces.append((*span, _spliced(raw[slice(*span)], leaf)))
    if added:
        pieces.append((end, end, (b"," if spans else b"") + b",".join(added)))
    for start, stop, text in sorted(pieces, reverse=True):
        raw = raw[:start] + text + raw[stop:]
    return raw


Span = tuple[int, int]  # where a value starts and ends


def _members(raw: bytes) -> tuple[dict[str | int, Span], int]:
    """Locate every value of an object or array, and the place after the last one.

    Duplicate keys were refused before, so that msgspec's order is the order of the bytes.
    """
    is_object = raw[:1] == b"{"
    members = _RAW_OBJECT.decode(raw).items() if is_object else enumerate(_RAW_ARRAY.decode(raw))
    spans: dict[str | int, Span] = {}
    position = end = 1
    for name, member in members:
        start = _skip(raw, position)
        if is_object:
            key = _KEY.match(raw, start)
            start = 0 if key is None else _skip(raw, _skip(raw, key.end()) + 1)
        value = bytes(member)
        if not raw.startswith(value, start):
            message = "a member of the object is not where its parser found it"
            raise AssertionError(message)
        end = start + len(value)
        spans[name] = (start, end)
        position = _skip(raw, end) + 1
    return spans, end


def _skip(raw: bytes, position: int) -> int:
    match = _SPACE.match(raw, position)
    return position if match is None else match.end()


def _count_keys(raw: bytes) -> int:
    """Count the keys of all objects: the colons outside strings."""
    # Without escaped backslashes and quotes every second piece between quotes is a string.
    plain = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(plain.split(b'"')[::2]).count(b":")


def _count_parsed_keys(value: dict[str, Any]) -> int:
    count = 0
    stack: list[Any] = [value]
    while stack:
        node = stack.pop()
        if type(node) is dict:
            count += len(node)
            node = node.values()
        for item in node:
            if type(item) is dict or type(item) is list:
                stack.append(item)  # noqa: PERF401 - a comprehension here is slower
    return count


def _refuse_too_many(raw: bytes) -> None:
    """Refuse a body of too many items before the parser makes objects of them."""
    if len(raw) <= 2 * ITEMS_MAX or raw.count(b",") <= ITEMS_MAX:
        return
    commas = 0
    for match in _STRING_OR_COMMA.finditer(raw):
        commas += match.lastindex is not None
        if commas > ITEMS_MAX:
            _refuse_items(ITEMS_MAX, "The body")


def _refuse_deep(value: dict[str, Any]) -> None:
    level: list[Any] = [value]
    depth = 0
    while level:
        depth += 1
        if depth > DEPTH_MAX:
            _refuse_depth()
        below: list[Any] = []
        for node in level:
            if type(node) is dict:
                items = node.values()
            elif len(node) > ARRAY_ITEMS_MAX:
                _refuse_items(ARRAY_ITEMS_MAX, "An array in the body")
            else:
                items = node
            for item in items:
                if type(item) is dict or type(item) is list:
                    below.append(item)  # noqa: PERF401 - a comprehension here is slower
        level = below


def _refuse_depth() -> NoReturn:
    raise RelayError(
        code=Code.TOO_DEEP,
        message=f"The body nests deeper than {DEPTH_MAX} levels. Send a flatter one.",
    )


def _refuse_items(items_max: int, what: str) -> NoReturn:
    raise RelayError(
        code=Code.TOO_MANY_ITEMS,
        message=f"{what} has more than {items_max} items. Split the request.",
    )


def _refuse_invalid(raw: bytes, error: orjson.JSONDecodeError) -> NoReturn:
    if "depth limit" in error.msg:
        _refuse_depth()
    try:
        raw.decode()
    except UnicodeDecodeError as problem:
        raise RelayError(
            code=Code.INVALID_UTF8,
            message=(
                f"The body is not valid UTF-8 (byte {problem.start}). Encode the JSON as UTF-8."
            ),
        ) from None
    raise RelayError(
        code=Code.INVALID_JSON,
        message=(
            "The body is not valid JSON: parsing stopped at "
            f"line {error.lineno}, column {error.colno}. Mend it there and send it again."
        ),
    ) from None
