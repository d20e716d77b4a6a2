"""Readers of vendors' native answers: for_surface(surface, expectation)."""

from collections.abc import Callable, Mapping

from routing.readers import (
    anthropic_messages,
    gemini_generate,
    openai_chat,
    openai_embeddings,
    openai_responses,
)
from routing.readers.base import Expectation, Reader
from routing.surfaces import Surface

_READERS: Mapping[Surface, Callable[[Expectation], Reader]] = {
    Surface.CHAT: openai_chat.ChatReader,
    Surface.COMPLETIONS: openai_chat.ChatReader,  # `text` where chats have a message
    Surface.RESPONSES: openai_responses.ResponsesReader,
    Surface.INPUT_TOKENS: openai_responses.InputTokensReader,
    Surface.COMPACT: openai_responses.ResponsesReader,
    Surface.EMBEDDINGS: openai_embeddings.EmbeddingsReader,
    Surface.MESSAGES: anthropic_messages.MessagesReader,
    Surface.COUNT_TOKENS: anthropic_messages.CountTokensReader,
    Surface.GENERATE: gemini_generate.GenerateReader,
    Surface.GEMINI_COUNT: gemini_generate.CountReader,
    Surface.GEMINI_EMBED: gemini_generate.EmbedReader,
    Surface.GEMINI_BATCH_EMBED: gemini_generate.EmbedReader,
}


def for_surface(surface: Surface, expectation: Expectation) -> Reader:
    """Make the reader of one attempt's answer. Raises: KeyError for a surface without vendor."""
    return _READERS[surface](expectation)
