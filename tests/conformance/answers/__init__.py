"""Readers of answers: one module for each wire format, all to `normal.Answer`."""

from tests.conformance import frames
from tests.conformance.answers import chat, gemini, messages, responses
from tests.conformance.normal import CHAT, GEMINI, MESSAGES, RESPONSES, Answer

READERS = {
    CHAT: chat.read,
    RESPONSES: responses.read,
    MESSAGES: messages.read,
    GEMINI: gemini.read,
}


def read(dialect: str, body: bytes | str) -> Answer:
    """Return the meaning of an answer in this dialect, whole or streamed."""
    return READERS[dialect](frames.documents(body))
