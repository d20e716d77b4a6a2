"""Readers of requests: one module for each wire format, all to `normal.Request`."""

import dataclasses
from typing import Any

from tests.conformance import normal
from tests.conformance.asked import chat, gemini, messages, responses
from tests.conformance.normal import CHAT, GEMINI, MESSAGES, RESPONSES, Request

READERS = {CHAT: chat.read, RESPONSES: responses.read, MESSAGES: messages.read, GEMINI: gemini.read}


def read(dialect: str, body: dict[str, Any], *, is_stream: bool = False) -> Request:
    """Return the meaning of a request; Gemini tells in its path whether it is a stream."""
    told = {"is_stream": is_stream} if dialect == GEMINI else {}
    found = READERS[dialect](body, **told)
    return dataclasses.replace(found, turns=normal.renumbered(found.turns))
