"""Writers of requests: one module for each dialect, all from `normal.Request`."""

from typing import Any

from tests.conformance.normal import CHAT, GEMINI, MESSAGES, RESPONSES, Request
from tests.conformance.writers import chat, gemini, messages, responses

WRITERS = {
    CHAT: chat.write,
    RESPONSES: responses.write,
    MESSAGES: messages.write,
    GEMINI: gemini.write,
}


def write(dialect: str, request: Request, *, seals: str) -> dict[str, Any]:
    """Return the body that a client of `dialect` sends; `seals` is the format of those in it."""
    return WRITERS[dialect](request, seals=seals)
