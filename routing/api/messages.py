"""POST /v1/messages and /v1/messages/count_tokens."""

from routing.api.chat import RelayView
from routing.surfaces import Surface


class Messages(RelayView):
    """Anthropic's messages."""

    surface = Surface.MESSAGES


class CountTokens(RelayView):
    """Anthropic's token count: the vendor's own or an estimate, free of charge."""

    surface = Surface.COUNT_TOKENS
