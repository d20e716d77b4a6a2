"""Which recorded cases the suite replays: all generations, but for named exclusions."""

import dataclasses
import functools
import re
from collections.abc import Iterator
from typing import Any

from tests.conformance import answers, asked
from tests.conformance.normal import DIALECTS, MESSAGES, RESPONSES, Answer, Opaque, Request, Result
from tests.routing.dialects import recordings

EXCLUSIONS = {
    "vendor_handle": "names a thing stored at the vendor, which is refused natively, too",
    "malformed": "a request that its own dialect cannot read (the vendor answered 400)",
    "orphaned_result": "a result whose call only the vendor's own server tool made",
    "no_turns": "nothing is left once the vendor's own traces are taken out",
}
PAIR_EXCLUSIONS = {
    "n_choices": "the vendor gave several choices, which Responses and Messages cannot ask for",
}
HANDLES = ("previous_response_id", "conversation", "container", "cachedContent", "background")
FILES = ("file", "input_image", "input_file", "container_upload", "file by handle",
         "image by file", "document by file", "item_reference")  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One recorded exchange, and what it means."""

    raw: dict[str, Any] = dataclasses.field(repr=False)
    asked: Request = dataclasses.field(repr=False)
    answer: Answer = dataclasses.field(repr=False)

    @property
    def id(self) -> str:
        return self.raw["id"]

    @property
    def vendor(self) -> str:
        return self.raw["vendor"]

    @property
    def protocol(self) -> str:
        return self.raw["protocol"]

    @property
    def status(self) -> int:
        return self.raw["response"]["status"]

    @property
    def is_stream(self) -> bool:
        return bool(self.raw["stream"])

    @property
    def name(self) -> str:
        """A model name of the case's own, as the recordings' README advises."""
        tail = re.sub(r"[^a-z0-9]", "", self.id.rpartition(".")[2].lower())
        base = re.sub(r"[^A-Za-z0-9._-]", "-", str(self.raw["model"] or "m"))[-60:]
        return f"{base}-{tail}"


@functools.cache
def all_cases() -> tuple[tuple[tuple[dict[str, Any], str], ...], tuple[Case, ...]]:
    """Return excluded recordings with their reasons, and the cases in scope."""
    excluded, kept = [], []
    for raw in recordings.cases():
        if raw["protocol"] not in DIALECTS:
            continue
        reason, request = _looked_at(raw)
        if reason or request is None:
            excluded.append((raw, reason))
        else:
            answer = answers.read(raw["protocol"], raw["response"]["body"])
            kept.append(Case(raw=raw, asked=request, answer=answer))
    return tuple(excluded), tuple(kept)


def cases() -> tuple[Case, ...]:
    return all_cases()[1]


def excluded() -> tuple[tuple[dict[str, Any], str], ...]:
    return all_cases()[0]


def _looked_at(raw: dict[str, Any]) -> tuple[str, Request | None]:
    body = raw["request"]["body"]
    messages = body.get("messages") or []
    if any(not isinstance(message, dict) for message in messages):
        return "malformed", None
    if any(body.get(handle) for handle in HANDLES):
        return "vendor_handle", None
    request = asked.read(raw["protocol"], body, is_stream=raw["stream"])
    parts = request.parts()
    if any(isinstance(part, Opaque) and part.kind in FILES for part in parts):
        return "vendor_handle", None
    if any(isinstance(part, Result) and part.id == "?" for part in parts):
        return "orphaned_result", None
    if not [part for part in parts if not isinstance(part, Opaque)]:
        return "no_turns", None
    return "", request


def pairs() -> Iterator[tuple[Case, str, str]]:
    """Yield each case with each foreign dialect, and why the pair is left out ("" if not)."""
    for case in cases():
        for dialect in DIALECTS:
            if dialect != case.protocol:
                yield case, dialect, pair_reason(case, dialect)


def pair_reason(case: Case, dialect: str) -> str:
    several = len(case.answer.candidates) > 1 or case.asked.sampling.get("n", 1) > 1
    return "n_choices" if several and dialect in (RESPONSES, MESSAGES) else ""
