"""The catalogue in people's words: classes, units, modalities, policies, places."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from bananarouter.pages.words import CLASSES as BASE_CLASSES
from bananarouter.pages.words import Words
from billing.usage import Unit, UnitClass

CLASSES: Mapping[UnitClass, Words] = {
    **BASE_CLASSES,
    UnitClass.CACHE_WRITE_5M: _("Input, written to cache for 5 minutes"),
    UnitClass.CACHE_WRITE_1H: _("Input, written to cache for an hour"),
    UnitClass.AUDIO_INPUT: _("Audio input"),
    UnitClass.AUDIO_CACHE_READ: _("Audio input, read from cache"),
    UnitClass.IMAGE_INPUT: _("Image input"),
    UnitClass.VIDEO_INPUT: _("Video input"),
    UnitClass.TOOL_PROMPT: _("Results of vendor tools"),
    UnitClass.AUDIO_OUTPUT: _("Audio output"),
    UnitClass.IMAGE_OUTPUT: _("Image output"),
    UnitClass.WEB_SEARCH: _("Web searches"),
    UnitClass.WEB_FETCH: _("Web pages fetched"),
    UnitClass.IMAGE: _("Images made"),
    UnitClass.REQUEST: _("Requests"),
    UnitClass.CHARACTERS: _("Text to be spoken"),
    UnitClass.AUDIO_DURATION: _("Sound to be written down"),
    UnitClass.SEARCH_UNIT: _("Reranking, up to 100 documents"),
}
UNITS: Mapping[Unit, Words] = {
    Unit.MTOK: _("per million tokens"),
    Unit.REQUEST: _("each"),
    Unit.THOUSAND: _("per thousand"),
    Unit.MCHAR: _("per million characters"),
    Unit.HOUR: _("per hour"),
}
TIERS: Mapping[str, Words] = {
    "standard": _("Standard"),
    "batch": _("Batch"),
    "fast": _("Fast"),
    "flex": _("Flex"),
    "priority": _("Priority"),
}
MODALITIES: Mapping[str, Words] = {
    "text": _("text"),
    "image": _("images"),
    "file": _("documents"),
    "audio": _("audio"),
    "video": _("video"),
    "speech": _("speech"),
    "transcription": _("transcripts"),
    "rerank": _("rankings"),
    "embeddings": _("embeddings"),
}
TRAINING: Mapping[str, Words] = {
    "no": _("does not train"),
    "opt-in": _("trains only after an opt-in"),
    "opt-out": _("trains unless opted out"),
    "yes": _("trains"),
    "unknown": _("training unknown"),
    "operator": _("operator decides"),
}
# Shorter than elsewhere: they stand in a narrow column.
PLACES: Mapping[str, Words] = {
    "operator": _("this site"),
    "unknown": _("unknown"),
}
PROTOCOLS: Mapping[str, str] = {
    "chat": "Chat Completions",
    "responses": "Responses",
    "messages": "Messages",
    "generate": "generateContent",
}
