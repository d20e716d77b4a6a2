"""Readers of vendors' native answers: for_surface(surface, expectation)."""

from routing.readers import openai_chat
from routing.readers.base import Expectation, Reader
from routing.surfaces import Surface

_READERS = {
    Surface.CHAT: openai_chat.ChatReader,
}


def for_surface(surface: Surface, expectation: Expectation) -> Reader:
    """Make the reader of one attempt's answer."""
    return _READERS[surface](expectation)
