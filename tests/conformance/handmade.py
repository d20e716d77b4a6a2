"""Failures that no recording holds, made by hand in each vendor's dialect.

The recordings have no 5xx, no 529, and one error amid a stream; what vendors document is here.
A failure must come out in the client's own form, of the right class, whichever dialect failed.
"""

import dataclasses
import json
from typing import Any

from tests.conformance.normal import CHAT, GEMINI, MESSAGES, RESPONSES
from tests.emulator import Script

JSON = (("Content-Type", "application/json"),)
SSE = (("Content-Type", "text/event-stream"),)
SECRET = "org-a1b2c3d4e5"  # of our account, in the vendor's words
SAID = "Half of an ans"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failure:
    """A vendor's failure; `statuses` are what the client may be told."""

    name: str
    script: Script
    statuses: frozenset[int]
    is_stream: bool = False
    is_late: bool = False  # amid a stream: the status was 200 by then


def _envelope(protocol: str, status: int, word: str, google: str) -> bytes:
    message = f"{word} for {SECRET}"
    told: dict[str, Any]
    if protocol == MESSAGES:
        told = {"type": "error", "error": {"type": word, "message": message}, "request_id": "req_1"}
    elif protocol == GEMINI:
        told = {"error": {"code": status, "message": message, "status": google}}
    else:
        told = {"error": {"message": message, "type": word, "param": None, "code": word}}
    return json.dumps(told).encode()


# Status, the word of OpenAI and Anthropic, Google's word, and what a client may be told.
STATUSES = (
    (400, "invalid_request_error", "INVALID_ARGUMENT", {400}),
    (401, "authentication_error", "UNAUTHENTICATED", {502, 503}),
    (402, "billing_error", "FAILED_PRECONDITION", {502, 503}),
    (403, "permission_error", "PERMISSION_DENIED", {403, 502, 503}),
    (404, "not_found_error", "NOT_FOUND", {503}),
    (413, "request_too_large", "INVALID_ARGUMENT", {413}),
    (429, "rate_limit_error", "RESOURCE_EXHAUSTED", {429}),
    (500, "api_error", "INTERNAL", {502}),
    (502, "server_error", "INTERNAL", {502}),
    (503, "overloaded_error", "UNAVAILABLE", {503}),
    (504, "timeout_error", "DEADLINE_EXCEEDED", {504}),
    (529, "overloaded_error", "UNAVAILABLE", {503}),
)


def failures(protocol: str) -> list[Failure]:
    """Return a vendor's failures in one dialect."""
    found = [
        Failure(
            name=f"{status} {word}",
            script=Script(
                status=status,
                headers=(*JSON, ("Retry-After", "7")) if status == 429 else JSON,
                chunks=[_envelope(protocol, status, word, google)],
            ),
            statuses=frozenset(allowed),
        )
        for status, word, google, allowed in STATUSES
    ]
    for name, body in (("an empty body", b""), ("a page", b"<html>Bad gateway</html>"),
                       ("half a body", b'{"id": "x", "choi')):  # fmt: skip
        script = Script(headers=JSON, chunks=[body])
        found.append(Failure(name=name, script=script, statuses=frozenset({502})))
    for name, last in (("an error amid a stream", _error_event(protocol)),
                       ("a stream that ends too soon", b"")):  # fmt: skip
        chunks = [*_beginning(protocol), *([last] if last else [])]
        script = Script(headers=SSE, chunks=chunks, is_chunked=True)
        found.append(Failure(name=name, script=script, statuses=frozenset({200}), is_stream=True,
                             is_late=True))  # fmt: skip
    return found


def _event(document: dict[str, Any], *, named: bool) -> bytes:
    name = f"event: {document['type']}\n" if named else ""
    return f"{name}data: {json.dumps(document)}\n\n".encode()


def _beginning(protocol: str) -> list[bytes]:
    """Return the events of a stream up to its first words."""
    usage = {"input_tokens": 5, "output_tokens": 1}
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m",
                "status": "in_progress", "output": []}  # fmt: skip
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choice = {"index": 0, "delta": {"role": "assistant", "content": SAID}, "finish_reason": None}
    told: dict[str, list[dict[str, Any]]] = {
        CHAT: [{**chunk, "choices": [choice]}],
        RESPONSES: [
            {"type": "response.created", "response": response},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.content_part.added", **place,
             "part": {"type": "output_text", "text": "", "annotations": []}},
            {"type": "response.output_text.delta", **place, "delta": SAID},
        ],
        MESSAGES: [
            {"type": "message_start", "message": {"id": "msg_1", "type": "message", "content": [],
             "role": "assistant", "model": "m", "stop_reason": None, "usage": usage}},
            {"type": "content_block_start", "index": 0,
             "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0,
             "delta": {"type": "text_delta", "text": SAID}},
        ],
        GEMINI: [{"candidates": [{"index": 0, "content": {"role": "model",
                                                         "parts": [{"text": SAID}]}}]}],
    }  # fmt: skip
    return [
        _event(document, named=protocol in (RESPONSES, MESSAGES)) for document in told[protocol]
    ]


def _error_event(protocol: str) -> bytes:
    if protocol == RESPONSES:
        error = {"code": "server_error", "message": f"It broke for {SECRET}"}
        response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m",
                    "status": "failed", "output": [], "error": error}  # fmt: skip
        return _event({"type": "response.failed", "response": response}, named=True)
    envelope = json.loads(_envelope(protocol, 503, "overloaded_error", "UNAVAILABLE"))
    return _event(envelope, named=protocol == MESSAGES)


def pairs() -> list[tuple[str, Failure, str]]:
    """Return (vendor's dialect, failure, client's dialect) of every foreign pair."""
    dialects = (CHAT, RESPONSES, MESSAGES, GEMINI)
    return [
        (vendor, failure, client)
        for vendor in dialects
        for failure in failures(vendor)
        for client in dialects
        if client != vendor
    ]
