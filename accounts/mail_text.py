"""Reads a mail as text. Its bytes may be anything: broken, huge, nested, written to deceive."""

import hashlib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.errors import HeaderParseError, MessageError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parseaddr

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.contact import SUBJECT_CHARS_MAX, TEXT_CHARS_MAX

HEADER_BYTES_MAX = 128 << 10
BOUNDARIES_MAX = 50
PARTS_MAX = 100
HTML_CHARS_MAX = 200_000
DEPTH_MAX = 10
ADDRESSES_MAX = 50
MAIL_ID_CHARS_MAX = 250
NAME_CHARS_MAX = 80
EMAIL_CHARS_MAX = 254
# What people write in. Others (punycode is quadratic, zlib is no charset) are read as UTF-8.
CHARSETS = frozenset({
    "utf-8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "gb18030", "big5", "big5-hkscs",
    "shift_jis", "iso-2022-jp", "euc-jp", "euc-kr", "iso-2022-kr", "koi8-r", "koi8-u",
    *(f"iso-8859-{number}" for number in range(1, 17) if number != 12),
    *(f"windows-{number}" for number in range(1250, 1259)),
})  # fmt: skip
OLDER_NAMES = {"gb2312": "gb18030", "gbk": "gb18030", "utf8": "utf-8", "latin-1": "iso-8859-1"}
_BLANK = re.compile(r"\n{3,}")
# Control characters, but for line ends and tabs; directions that turn a text around; surrogates.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ROBOTS = frozenset({"mailer-daemon", "postmaster", "bounce", "bounces"})


class Unreadable(ValueError):
    """The bytes are no mail, or one built to be expensive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What of a mail is kept; all texts within their limits."""

    mail_id: str
    sender: str  # "" when there is none that one could answer
    sender_name: str
    recipients: tuple[str, ...]  # the parts before the @, in lower case
    subject: str
    text: str
    is_automatic: bool


def read(raw: bytes) -> Mail:
    """Read a mail. Raises: Unreadable."""
    head = raw.split(b"\n\r\n", 1)[0].split(b"\n\n", 1)[0]
    if len(head) > HEADER_BYTES_MAX or raw.lower().count(b"boundary=") > BOUNDARIES_MAX:
        raise Unreadable
    try:
        message = message_from_bytes(raw, policy=policy.compat32)
        return _read(message, raw)
    except (MessageError, ValueError, LookupError, TypeError, RecursionError) as error:
        # The standard library's parser is old and lenient; where it stumbles, so do we, clearly.
        raise Unreadable from error


def _read(message: Message, raw: bytes) -> Mail:
    name, sender = parseaddr(_header(message, "From"))
    sender = address(sender)
    return Mail(
        mail_id=_mail_id(message, raw),
        sender=sender,
        sender_name=_one_line(name)[:NAME_CHARS_MAX],
        recipients=tuple(_recipients(message)),
        subject=_one_line(_header(message, "Subject"))[:SUBJECT_CHARS_MAX],
        text=_text(message),
        is_automatic=_is_automatic(message, sender),
    )


def address(text: str) -> str:
    """Return the address in a header's value, in lower case; "" when it is none."""
    found = parseaddr(text)[1].strip().lower()
    if len(found) > EMAIL_CHARS_MAX:
        return ""
    try:
        validate_email(found)
    except ValidationError:
        return ""
    return found


def _mail_id(message: Message, raw: bytes) -> str:
    found = _one_line(_header(message, "Message-ID"))
    if 0 < len(found) <= MAIL_ID_CHARS_MAX:
        return found
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _recipients(message: Message) -> Iterator[str]:
    names = ("To", "Cc", "Delivered-To", "X-Original-To")
    values = [value for name in names if (value := _header(message, name))]
    for _, found in getaddresses(values)[:ADDRESSES_MAX]:
        yield found.partition("@")[0].lower()


def _is_automatic(message: Message, sender: str) -> bool:
    """Tell whether a program sent it by itself (RFC 3834, and customs older than that)."""
    auto = _header(message, "Auto-Submitted").strip().lower()
    return bool(
        (auto and not auto.startswith("no"))
        or message.get("List-Id")
        or message.get("X-Autoreply")
        or message.get("X-Autorespond")
        or _header(message, "Precedence").strip().lower() in {"bulk", "list", "junk", "auto_reply"}
        or _header(message, "Return-Path").strip() == "<>"
        or message.get_content_type() in {"multipart/report", "message/delivery-status"}
        or sender.partition("@")[0] in _ROBOTS
    )


def _header(message: Message, name: str) -> str:
    """Return a header as text, its encoded words decoded."""
    value = str(message.get(name) or "")[:HEADER_BYTES_MAX]
    try:
        parts = decode_header(value)
    except (HeaderParseError, ValueError):
        return value
    return "".join(
        _decode(part, charset) if isinstance(part, bytes) else part for part, charset in parts
    )


def _decode(raw: bytes, charset: str | None) -> str:
    wanted = (charset or "").strip().lower()
    wanted = OLDER_NAMES.get(wanted, wanted)
    return raw.decode(wanted if wanted in CHARSETS else "utf-8", "replace")


def _one_line(text: str) -> str:
    return " ".join(_CONTROL.sub("", text.replace("\r", " ")).split())


def _text(message: Message) -> str:
    plain, pages, dropped = [], [], 0
    for part in _parts(message, depth=0):
        if part.get_content_type() == "text/plain" and not _is_attached(part):
            plain.append(_body(part))
        elif part.get_content_type() == "text/html" and not _is_attached(part):
            pages.append(_body(part))
        else:
            dropped += 1
    # A mail's HTML says the same as its plain text, where it has one.
    text = "\n\n".join(plain) or "\n\n".join(map(html_text, pages))
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _BLANK.sub("\n\n", _without_quote(text)).strip()
    notes = []
    if len(text) > TEXT_CHARS_MAX - 200:
        text = text[: TEXT_CHARS_MAX - 200]
        notes.append("[The rest of this mail was too long and is not kept.]")
    if dropped:
        notes.append(f"[Attachments that are not kept: {dropped}]")
    return "\n\n".join([text, *notes]).strip() or "[This mail has no text.]"


def _parts(message: Message, *, depth: int) -> Iterator[Message]:
    """Yield the leaves; a mail within the mail is one of them, not looked into."""
    if not message.is_multipart() or message.get_content_maintype() == "message":
        yield message
        return
    if depth >= DEPTH_MAX:
        raise Unreadable
    children = message.get_payload()
    if len(children) > PARTS_MAX:
        raise Unreadable
    for child in children:
        if isinstance(child, Message):
            yield from _parts(child, depth=depth + 1)


def _is_attached(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or bool(part.get_filename())


def _body(part: Message) -> str:
    raw = part.get_payload(decode=True)
    return _decode(raw, part.get_content_charset()) if isinstance(raw, bytes) else ""


def _without_quote(text: str) -> str:
    """Drop the quoted lines that a reply ends with: we have what we wrote."""
    lines = text.rstrip().split("\n")
    while lines and (lines[-1].startswith(">") or not lines[-1].strip()):
        lines.pop()
    return "\n".join(lines)


# Patterns of linear time: the standard library's parser takes minutes for a hostile page.
_HIDDEN = re.compile(
    r"<!--.*?(?:-->|$)|<(script|style|title|template)\b[^<>]{0,1000}>.*?(?:</\1\s*>|$)",
    re.DOTALL | re.IGNORECASE,
)
_BREAK = re.compile(r"</?(?:p|div|br|li|tr|h[1-6]|table|blockquote)\b[^<>]{0,1000}>", re.IGNORECASE)
_TAG = re.compile(r"<[/!?a-z][^<>]{0,1000}>", re.IGNORECASE)


def html_text(page: str) -> str:
    """Return what a reader of a page would see of it, as lines."""
    seen = " ".join(_HIDDEN.sub(" ", page[:HTML_CHARS_MAX]).split())
    text = html.unescape(_TAG.sub("", _BREAK.sub("\n", seen)))
    return "\n".join(line.strip() for line in text.split("\n"))
