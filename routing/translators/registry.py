"""Which package translates for which surface (pure)."""

from collections.abc import Callable, Mapping

from routing import jsonarray
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
# How the data of an event is found where it is not framed as the standard says.
DATA_OF: Mapping[Surface, Callable[[bytes], bytes]] = {Surface.GENERATE: jsonarray.data_of}
# By the surface that a client speaks.
CLIENTS: Mapping[Surface, ClientSide] = {
    Surface.CHAT: openai_chat,
    Surface.COMPLETIONS: openai_completions,
    Surface.RESPONSES: openai_responses,
    Surface.MESSAGES: anthropic_messages,
    Surface.GENERATE: gemini_generate,
}
