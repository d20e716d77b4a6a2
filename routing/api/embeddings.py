"""POST /v1/embeddings."""

from routing.api.chat import RelayView
from routing.surfaces import Surface


class Embeddings(RelayView):
    """OpenAI's embeddings."""

    surface = Surface.EMBEDDINGS
