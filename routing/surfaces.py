"""The surfaces of the proxy API and the protocol families behind them (pure)."""

import enum


class Family(enum.StrEnum):
    """What a channel speaks; the values of Channel.protocol."""

    OPENAI = "openai-chat"
    ANTHROPIC = "anthropic-messages"
    GEMINI = "gemini"


class Surface(enum.StrEnum):
    """One operation of a client dialect; also what the request log calls it."""

    CHAT = "chat"
    COMPLETIONS = "completions"  # legacy
    RESPONSES = "responses"
    INPUT_TOKENS = "input_tokens"
    COMPACT = "compact"
    EMBEDDINGS = "embeddings"
    IMAGES = "images"
    IMAGE_EDITS = "image_edits"
    IMAGE_VARIATIONS = "image_variations"
    SPEECH = "speech"
    TRANSCRIPTIONS = "transcriptions"
    TRANSLATIONS = "translations"
    MODERATIONS = "moderations"
    RERANK = "rerank"
    MESSAGES = "messages"
    COUNT_TOKENS = "count_tokens"
    GENERATE = "generate"
    GEMINI_COUNT = "gemini_count"
    GEMINI_EMBED = "gemini_embed"
    GEMINI_BATCH_EMBED = "gemini_batch_embed"
    MODELS = "models"
    PLATFORM = "platform"  # /api/v1: our own envelope

    @property
    def family(self) -> Family:
        """The family whose envelope errors wear here."""
        return FAMILY[self]

    @property
    def is_generation(self) -> bool:
        """Whether a model of any wire format can serve it, by translation."""
        return self in GENERATIONS


FAMILY = {
    Surface.CHAT: Family.OPENAI,
    Surface.COMPLETIONS: Family.OPENAI,
    Surface.RESPONSES: Family.OPENAI,
    Surface.INPUT_TOKENS: Family.OPENAI,
    Surface.COMPACT: Family.OPENAI,
    Surface.EMBEDDINGS: Family.OPENAI,
    Surface.IMAGES: Family.OPENAI,
    Surface.IMAGE_EDITS: Family.OPENAI,
    Surface.IMAGE_VARIATIONS: Family.OPENAI,
    Surface.SPEECH: Family.OPENAI,
    Surface.TRANSCRIPTIONS: Family.OPENAI,
    Surface.TRANSLATIONS: Family.OPENAI,
    Surface.MODERATIONS: Family.OPENAI,
    Surface.RERANK: Family.OPENAI,
    Surface.MODELS: Family.OPENAI,
    Surface.PLATFORM: Family.OPENAI,
    Surface.MESSAGES: Family.ANTHROPIC,
    Surface.COUNT_TOKENS: Family.ANTHROPIC,
    Surface.GENERATE: Family.GEMINI,
    Surface.GEMINI_COUNT: Family.GEMINI,
    Surface.GEMINI_EMBED: Family.GEMINI,
    Surface.GEMINI_BATCH_EMBED: Family.GEMINI,
}

GENERATIONS = frozenset(
    {Surface.CHAT, Surface.COMPLETIONS, Surface.RESPONSES, Surface.MESSAGES, Surface.GENERATE}
)
# How a vendor's endpoint generates, by the word of `protocol`; the values of Endpoint.protocol.
WIRES = {
    "openai-chat": Surface.CHAT,
    "openai-responses": Surface.RESPONSES,
    "anthropic-messages": Surface.MESSAGES,
    "gemini": Surface.GENERATE,
}

# Who takes a form (`multipart/form-data`), and who takes nothing else.
FORM_ONLY = frozenset({Surface.IMAGE_VARIATIONS, Surface.TRANSCRIPTIONS, Surface.TRANSLATIONS})
TAKES_FORM = FORM_ONLY | {Surface.IMAGE_EDITS}
