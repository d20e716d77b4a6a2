"""POST /v1/images, /v1/audio, /v1/moderations and /v1/rerank."""

from routing.api.chat import RelayView
from routing.surfaces import Surface


class Generations(RelayView):
    """OpenAI's images."""

    surface = Surface.IMAGES


class Edits(RelayView):
    """OpenAI's image edits: a form, or JSON."""

    surface = Surface.IMAGE_EDITS


class Variations(RelayView):
    """OpenAI's image variations."""

    surface = Surface.IMAGE_VARIATIONS


class Speech(RelayView):
    """OpenAI's text to speech: sound, or events."""

    surface = Surface.SPEECH


class Transcriptions(RelayView):
    """OpenAI's speech to text."""

    surface = Surface.TRANSCRIPTIONS


class Translations(RelayView):
    """OpenAI's speech to English text."""

    surface = Surface.TRANSLATIONS


class Moderations(RelayView):
    """OpenAI's moderations."""

    surface = Surface.MODERATIONS


class Rerank(RelayView):
    """Reranking, as Cohere, Jina, Voyage and OpenRouter take it."""

    surface = Surface.RERANK


OPERATIONS: dict[str, type[RelayView]] = {
    "images/generations": Generations,
    "images/edits": Edits,
    "images/variations": Variations,
    "audio/speech": Speech,
    "audio/transcriptions": Transcriptions,
    "audio/translations": Translations,
    "moderations": Moderations,
    "rerank": Rerank,
}
