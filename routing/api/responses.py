"""POST /v1/responses."""

from routing.api.chat import RelayView
from routing.surfaces import Surface


class Responses(RelayView):
    """OpenAI's Responses, stateless."""

    surface = Surface.RESPONSES
