"""One module for each wire format that clients speak."""

from collections.abc import Mapping

from routing.dialects import (
    anthropic_messages,
    gemini_generate,
    openai_audio,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_images,
    openai_moderations,
    openai_responses,
    rerank,
)
from routing.dialects.base import Dialect
from routing.surfaces import Surface

_DIALECTS: Mapping[Surface, Dialect] = {
    Surface.CHAT: openai_chat,
    Surface.COMPLETIONS: openai_completions,
    Surface.RESPONSES: openai_responses,
    Surface.INPUT_TOKENS: openai_responses,
    Surface.COMPACT: openai_responses,
    Surface.EMBEDDINGS: openai_embeddings,
    Surface.IMAGES: openai_images,
    Surface.IMAGE_EDITS: openai_images,
    Surface.IMAGE_VARIATIONS: openai_images,
    Surface.SPEECH: openai_audio,
    Surface.TRANSCRIPTIONS: openai_audio,
    Surface.TRANSLATIONS: openai_audio,
    Surface.MODERATIONS: openai_moderations,
    Surface.RERANK: rerank,
    Surface.MESSAGES: anthropic_messages,
    Surface.COUNT_TOKENS: anthropic_messages,
    Surface.GENERATE: gemini_generate,
    Surface.GEMINI_COUNT: gemini_generate,
    Surface.GEMINI_EMBED: gemini_generate,
    Surface.GEMINI_BATCH_EMBED: gemini_generate,
}


def for_surface(surface: Surface) -> Dialect:
    """Return the dialect that a surface speaks."""
    return _DIALECTS[surface]
