"""POST /v1/responses, /v1/responses/input_tokens and /v1/responses/compact."""

from routing.api.chat import RelayView
from routing.surfaces import Surface


class Responses(RelayView):
    """OpenAI's Responses, stateless."""

    surface = Surface.RESPONSES


class InputTokens(RelayView):
    """The token count of Responses: the vendor's own or an estimate, free of charge."""

    surface = Surface.INPUT_TOKENS


class Compact(RelayView):
    """A conversation made shorter, by the vendors that offer it."""

    surface = Surface.COMPACT
