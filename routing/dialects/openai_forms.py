"""Bodies of OpenAI's media operations: JSON, or a form read to the same fields (pure)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from routing import jsonedit, multipart
from routing.dialects import fields, openai
from routing.dialects.base import Inbound, Outbound, Quirks
from routing.dialects.content import HANDLE_KEYS, Tally
from routing.errors import Code
from routing.jsonedit import Document
from routing.multipart import Form, Part

_INTEGER: Final = re.compile(r"-?[0-9]{1,9}")
_FLAGS: Final[Mapping[str, bool]] = {"true": True, "false": False, "": False}
_INTEGER_FIELDS: Final = frozenset({"n", "partial_images"})
# What holds one value: an array of this name would be read by a vendor and not by us.
_SINGLE_FIELDS: Final = _INTEGER_FIELDS | {
    "file", "mask", "model", "prompt", "response_format", "service_tier", "stream", "user",
}  # fmt: skip
# A file that the vendor would fetch: what cannot be measured cannot be held for.
_LINK_FIELDS: Final = frozenset({"url", "file_url", "audio_url", "image_url"})
_UNPRICED_FIELDS: Final[Mapping[str, str]] = {
    "models": "other models than the one in `model`",
    "fallbacks": "other models than the one in `model`",
    "plugins": "plugins",
}
Body = tuple[Document, Form | None]


def read(raw: bytes, headers: Mapping[str, str]) -> Body:
    """Read a body of either kind; of a form, numbers and flags as JSON has them.

    Raises: RelayError (400).
    """
    kind = headers.get("content-type", "")
    if not kind.lower().startswith("multipart/"):
        return jsonedit.read(raw), None
    form = multipart.read(raw, kind)
    _refuse_arrays(form.parts)
    value: dict[str, Any] = dict(form.texts())
    for name in _INTEGER_FIELDS & value.keys():
        if not _INTEGER.fullmatch(value[name]):
            fields.refuse_type(value[name], "an integer", name)
        value[name] = int(value[name])
    if "stream" in value:
        flag = _FLAGS.get(value["stream"].lower())
        if flag is None:
            fields.refuse_type(value["stream"], "true or false", "stream")
        value["stream"] = flag
    return Document(raw, value, is_canonical=False), form


def refuse_fields(body: Mapping[str, Any], *, read_elsewhere: Iterable[str]) -> None:
    """Refuse handles and what has no price, wherever no other reader looks."""
    seen = {*read_elsewhere}
    for name, value in body.items():
        base = name.partition("[")[0]
        if base in HANDLE_KEYS and value not in (None, "", [], {}):
            fields.refuse_handle(name)
        if base in _UNPRICED_FIELDS and value:
            fields.refuse_unpriced(name, _UNPRICED_FIELDS[base])
        if base in _LINK_FIELDS and value and base not in seen:
            fields.refuse(
                Code.UNBOUNDED,
                f"`{name}` is a link: what stands behind it cannot be measured, so its cost has "
                "no bound. Send the file itself.",
                name,
            )
        if base not in seen and type(value) in (dict, list):
            Tally().other(value, name)  # for its handles alone: no such field costs anything
    if fields.flag(body, "store"):
        openai.refuse_stored({"store": True})


def files(form: Form | None, *names: str) -> list[Part]:
    """Return the files of these names. Raises: RelayError (400) for one that is a text."""
    found = list(form.named(*names)) if form else []
    for part in found:
        if not part.is_file:
            fields.refuse(
                Code.INVALID_TYPE,
                f"`{part.name}` must be a file: a part with a filename. Upload the file itself.",
                part.name,
            )
    return found


def text_bytes(inbound: Inbound) -> int:
    """Return how many bytes of a request are text; a file is measured by other means."""
    if inbound.form is None:
        return len(inbound.raw) - inbound.content.inline_bytes
    texts = (part for part in inbound.form.parts if not part.is_file)
    return sum(part.end - part.start + len(part.name) for part in texts)


def headers_of(form: Form | None, headers: Mapping[str, str]) -> Mapping[str, str]:
    """Pick the headers that go on to the vendor; a form's own boundary goes along."""
    kept = openai.forwarded_headers(headers)
    return kept if form is None else {**kept, "content-type": headers["content-type"]}


def outbound(
    inbound: Inbound, path: str, upstream_name: str, quirks: Quirks, user: str = ""
) -> Outbound:
    """Make the vendor's request: the model's name, and the account's tag as `user`."""
    changes = {"model": upstream_name, **({"user": user} if user else {})}
    if inbound.form is None:
        edits: dict[jsonedit.Path, Any] = {(name,): value for name, value in changes.items()}
        body = jsonedit.edit(inbound.document, edits)
    else:
        body = multipart.edit(inbound.form, changes)
    return Outbound(path=path, body=body, headers=inbound.headers, query=quirks.extra_query)


def _refuse_arrays(parts: Iterable[Part]) -> None:
    for part in parts:
        base = part.name.partition("[")[0]
        if base in _SINGLE_FIELDS and part.name != base:
            fields.refuse(
                Code.INVALID_TYPE,
                f"`{part.name}` must be one value named `{base}`. Rename the field.",
                part.name,
            )
