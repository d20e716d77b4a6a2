"""Which package translates for which surface (pure)."""

from collections.abc import Mapping

from routing.surfaces import Surface
from routing.translators import (
    anthropic_messages,
    gemini_generate,
    openai_chat,
    openai_completions,
    openai_responses,
)
from routing.translators.base import ClientSide, VendorSide

# By the surface that a vendor's endpoint speaks natively.
VENDORS: Mapping[Surface, VendorSide] = {
    Surface.CHAT: openai_chat,
    Surface.RESPONSES: openai_responses,
    Surface.MESSAGES: anthropic_messages,
    Surface.GENERATE: gemini_generate,
}
# By the surface that a client speaks.
CLIENTS: Mapping[Surface, ClientSide] = {
    Surface.CHAT: openai_chat,
    Surface.COMPLETIONS: openai_completions,
    Surface.RESPONSES: openai_responses,
    Surface.MESSAGES: anthropic_messages,
    Surface.GENERATE: gemini_generate,
}
