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

_CONTAINERS = (dict, list)
_SPACE = re.compile(rb"[ \t\r\n]*+")
_KEY = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_STRING_OR_COMMA = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|(,)', re.DOTALL)
_RAW_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])

# Where a change happens: one top-level key, or a key inside the object that it holds.
Path = tuple[str] | tuple[str, str]


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
    # Few brackets cannot be deep, few commas cannot be a long array.
    if raw.count(b"{") + raw.count(b"[") > DEPTH_MAX or raw.count(b",") >= ARRAY_ITEMS_MAX:
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
    if document.is_canonical:
        return orjson.dumps(_apply(document.value, changes))
    return _splice(document.raw, changes)


def _apply(value: dict[str, Any], changes: Changes) -> dict[str, Any]:
    edited = dict(value)
    for path, wanted in changes.items():
        target = edited
        if len(path) == 2:
            inner = edited.get(path[0])
            target = edited[path[0]] = dict(inner) if isinstance(inner, dict) else {}
        target[path[-1]] = wanted
    return edited


def _splice(raw: bytes, changes: Changes) -> bytes:
    """Replace the values of these keys in an object of unknown spacing."""
    spans, end = _members(raw)
    pieces: list[tuple[int, int, bytes]] = []
    added: list[bytes] = []
    for key, wanted in _by_key(changes).items():
        span = spans.get(key)
        if span is None:
            added.append(orjson.dumps(key) + b":" + _new_value(wanted))
        else:
            pieces.append((*span, _edited_value(raw[slice(*span)], wanted)))
    if added:
        pieces.append((end, end, (b"," if spans else b"") + b",".join(added)))
    for start, stop, text in sorted(pieces, reverse=True):
        raw = raw[:start] + text + raw[stop:]
    return raw


def _by_key(changes: Changes) -> dict[str, Any]:
    """Gather changes by top-level key; those inside an object become a nested mapping."""
    found: dict[str, Any] = {}
    for path, wanted in changes.items():
        if len(path) == 1:
            found[path[0]] = wanted
        else:
            found.setdefault(path[0], _Inner()).append((path[1], wanted))
    return found


class _Inner(list[tuple[str, Any]]):
    """Changes inside one member's object."""


def _new_value(wanted: Any) -> bytes:
    if isinstance(wanted, _Inner):
        return orjson.dumps(dict(wanted))
    return orjson.dumps(wanted)


def _edited_value(raw: bytes, wanted: Any) -> bytes:
    if isinstance(wanted, _Inner) and raw[:1] == b"{":
        return _splice(raw, {(key,): value for key, value in wanted})
    return _new_value(wanted)


Span = tuple[int, int]  # where a value starts and ends


def _members(raw: bytes) -> tuple[dict[str, Span], int]:
    """Locate every member's value, and the place after the last one.

    Duplicate keys were refused before, so that msgspec's order is the order of the bytes.
    """
    spans: dict[str, Span] = {}
    position = end = _skip(raw, 0) + 1
    for name, member in _RAW_OBJECT.decode(raw).items():
        key = _KEY.match(raw, _skip(raw, position))
        start = 0 if key is None else _skip(raw, _skip(raw, key.end()) + 1)
        value = bytes(member)
        if key is None or not raw.startswith(value, start):
            message = "the members of the object are not where its parser found them"
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
            stack += [item for item in node.values() if type(item) in _CONTAINERS]
        else:
            stack += [item for item in node if type(item) in _CONTAINERS]
    return count


def _refuse_too_many(raw: bytes) -> None:
    """Refuse a body of too many items before the parser makes objects of them."""
    if raw.count(b",") <= ITEMS_MAX:
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
                below += [item for item in node.values() if type(item) in _CONTAINERS]
                continue
            if len(node) > ARRAY_ITEMS_MAX:
                _refuse_items(ARRAY_ITEMS_MAX, "An array in the body")
            below += [item for item in node if type(item) in _CONTAINERS]
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
