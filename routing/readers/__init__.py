"""Readers of vendors' native answers: for_surface(surface, expectation)."""

from collections.abc import Callable, Mapping

from routing.readers import (
    anthropic_messages,
    gemini_generate,
    openai_audio,
    openai_chat,
    openai_embeddings,
    openai_images,
    openai_moderations,
    openai_responses,
    rerank,
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
    Surface.IMAGES: openai_images.ImagesReader,
    Surface.IMAGE_EDITS: openai_images.ImagesReader,
    Surface.IMAGE_VARIATIONS: openai_images.ImagesReader,
    Surface.SPEECH: openai_audio.SpeechReader,
    Surface.TRANSCRIPTIONS: openai_audio.TranscriptReader,
    Surface.TRANSLATIONS: openai_audio.TranscriptReader,
    Surface.MODERATIONS: openai_moderations.ModerationsReader,
    Surface.RERANK: rerank.RerankReader,
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
