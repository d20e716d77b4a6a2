"""A client of each dialect, asking what a recorded case of another dialect asked."""

import dataclasses
from typing import Any

from tests.conformance import express, normal, writers
from tests.conformance.normal import CHAT, GEMINI, MESSAGES, RESPONSES, Request
from tests.conformance.scope import Case

PATHS = {CHAT: "/v1/chat/completions", RESPONSES: "/v1/responses", MESSAGES: "/v1/messages"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ask:
    """What a client sends: it means `meaning`; `omitted` names what the dialect cannot say."""

    dialect: str
    path: str
    headers: dict[str, str] = dataclasses.field(repr=False)
    body: dict[str, Any] = dataclasses.field(repr=False)
    meaning: Request = dataclasses.field(repr=False)
    omitted: frozenset[str]


def ask(case: Case, dialect: str, *, key: str, as_array: bool = False) -> Ask:
    """Make the request; `as_array` is Gemini's stream without `alt=sse`."""
    meaning, omitted = express.restrict(case.asked, dialect, vendor=case.protocol)
    body = writers.write(dialect, meaning, seals=express.seals(case.vendor, case.protocol))
    meaning = dataclasses.replace(meaning, turns=normal.renumbered(meaning.turns))
    if dialect == GEMINI:
        operation = "streamGenerateContent" if case.is_stream else "generateContent"
        query = "?alt=sse" if case.is_stream and not as_array else ""
        path = f"/v1beta/models/{case.name}:{operation}{query}"
    else:
        path, body = PATHS[dialect], {"model": case.name, **body}
    return Ask(dialect=dialect, path=path, headers=credentials(dialect, key), body=body,
               meaning=meaning, omitted=frozenset(omitted))  # fmt: skip


def credentials(dialect: str, key: str) -> dict[str, str]:
    """Return the credentials as the dialect's own SDK sends them."""
    told = {
        CHAT: {"authorization": f"Bearer {key}"},
        RESPONSES: {"authorization": f"Bearer {key}"},
        MESSAGES: {"x-api-key": key, "anthropic-version": "2023-06-01"},
        GEMINI: {"x-goog-api-key": key},
    }
    return {"content-type": "application/json", **told[dialect]}
