"""How Alipay writes: yuan, times, signed forms and signed answers. No network, no keys."""

import datetime as dt
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

# All of Alipay's times, without saying so. China has had no summer time since 1991.
SHANGHAI = dt.timezone(dt.timedelta(hours=8), "Asia/Shanghai")
FIELDS_MAX = 100

_TIME = "%Y-%m-%d %H:%M:%S"
_TIME_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_YUAN_SHAPE = re.compile(r"(-?)(0|[1-9][0-9]{0,8})(?:\.([0-9]{1,2}))?")
_NAME = re.compile(rb"[A-Za-z0-9_]{1,64}")
_VALUE = re.compile(rb"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*")
_FIELD_INSIDE = re.compile(rb"&[A-Za-z0-9_]{1,64}=")
_DECODER = json.JSONDecoder()
_CODECS = {"utf-8": "utf-8", "gbk": "gbk"}


class Malformed(ValueError):
    """Not written as Alipay writes; `code` says what."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def yuan(minor: int) -> str:
    """Return fen as Alipay writes yuan."""
    return f"{minor // 100}.{minor % 100:02d}"


def signed_fen(text: str) -> int:
    """Return yuan such as "-12.30" in fen, without a float on the way. Raises: Malformed."""
    found = _YUAN_SHAPE.fullmatch(text)
    if found is None:
        raise Malformed("amount")
    sign, whole, rest = found.groups()
    fen = int(whole) * 100 + int((rest or "").ljust(2, "0"))
    return -fen if sign else fen


def fen(text: str) -> int:
    """Return yuan of zero or more in fen. Raises: Malformed."""
    if text.startswith("-"):
        raise Malformed("amount")
    return signed_fen(text)


def written(moment: dt.datetime) -> str:
    """Return a moment as Alipay writes it."""
    return moment.astimezone(SHANGHAI).strftime(_TIME)


def moment(text: str) -> dt.datetime:
    """Return the moment that Alipay wrote. Raises: Malformed."""
    try:
        if not _TIME_SHAPE.fullmatch(text):
            raise Malformed("time")
        return dt.datetime.strptime(text, _TIME).replace(tzinfo=SHANGHAI)
    except ValueError as error:
        raise Malformed("time") from error


def form(body: bytes) -> dict[str, bytes]:
    """Return a form's fields as the bytes that were signed. Raises: Malformed.

    A signature covers `a=1&b=2` as text, so a value that holds `&b=` could be cut elsewhere and
    still verify: such a form is refused, as is a field that comes twice.
    """
    found: dict[str, bytes] = {}
    pairs = body.split(b"&")
    if len(pairs) > FIELDS_MAX:
        raise Malformed("form")
    for pair in pairs:
        name, equals, raw = pair.partition(b"=")
        if not (equals and _NAME.fullmatch(name) and _VALUE.fullmatch(raw)):
            raise Malformed("form")
        if name.decode() in found:
            raise Malformed("duplicate_field")
        value = unquote_to_bytes(raw.replace(b"+", b" "))
        if _FIELD_INSIDE.search(value):
            raise Malformed("ambiguous")
        found[name.decode()] = value
    return found


def signed_part(fields: Mapping[str, bytes], *, without: frozenset[str]) -> bytes:
    """Return what a signature over these fields covers."""
    named = sorted((name, value) for name, value in fields.items() if name not in without)
    return b"&".join(name.encode() + b"=" + value for name, value in named)


def texts(fields: Mapping[str, bytes]) -> dict[str, str]:
    """Return fields as texts, in the charset that they name. Raises: Malformed."""
    try:
        said = fields.get("charset", b"utf-8").decode("ascii").lower()
        codec = _CODECS[said]
        return {name: value.decode(codec) for name, value in fields.items()}
    except (KeyError, UnicodeDecodeError) as error:
        raise Malformed("charset") from error


def pieces(text: str) -> dict[str, str]:
    """Return an answer's outermost values as they stand there, for what is signed is raw text.

    Raises: ValueError.
    """
    found: dict[str, str] = {}
    at = _past(text, 0, "{")
    while True:
        name, at = _DECODER.raw_decode(text, _past(text, at))
        start = _past(text, _past(text, at, ":"))
        _, end = _DECODER.raw_decode(text, start)
        if not isinstance(name, str) or name in found:
            raise ValueError("no object with names")
        found[name] = text[start:end]
        at = _past(text, end)
        if text[at:].rstrip() == "}":
            return found
        at = _past(text, at, ",")


def values(piece: str) -> dict[str, Any]:
    """Return an object of an answer; its numbers stay texts. Raises: ValueError."""
    said = json.loads(piece, parse_int=str, parse_float=str, object_pairs_hook=_once)
    if not isinstance(said, dict):
        raise ValueError("no object")
    return said


def text(piece: str) -> str:
    """Return an answer's value that is a text. Raises: ValueError."""
    value = json.loads(piece)
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _past(text: str, at: int, mark: str = "") -> int:
    """Return where the text goes on after white space and a mark. Raises: ValueError."""
    while text[at : at + 1] in {" ", "\t", "\r", "\n"}:
        at += 1
    if not text.startswith(mark, at):
        raise ValueError("no JSON object")
    return at + len(mark)
