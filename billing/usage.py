"""What a request used, in disjoint classes (pure)."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Unit(enum.StrEnum):
    """What a rate counts."""

    MTOK = "mtok"  # one million tokens
    REQUEST = "request"  # one request, one image, one search: a single thing
    THOUSAND = "thousand"  # one thousand things
    MCHAR = "mchar"  # one million characters
    HOUR = "hour"  # one hour, counted in milliseconds


class UnitClass(enum.StrEnum):
    """The classes that a price may name. A token belongs to exactly one of them."""

    INPUT = "input"  # uncached text
    CACHE_READ = "cache_read"
    CACHE_WRITE = "cache_write"  # vendors that name no lifetime
    CACHE_WRITE_5M = "cache_write_5m"
    CACHE_WRITE_1H = "cache_write_1h"
    AUDIO_INPUT = "audio_input"
    AUDIO_CACHE_READ = "audio_cache_read"
    IMAGE_INPUT = "image_input"
    VIDEO_INPUT = "video_input"
    TOOL_PROMPT = "tool_prompt"  # Gemini's toolUsePromptTokenCount
    OUTPUT = "output"  # visible text
    REASONING = "reasoning"
    AUDIO_OUTPUT = "audio_output"
    IMAGE_OUTPUT = "image_output"
    WEB_SEARCH = "web_search"  # one search
    WEB_FETCH = "web_fetch"
    IMAGE = "image"  # one generated image
    REQUEST = "request"  # a fee for the request itself
    CHARACTERS = "characters"  # of text to be spoken
    AUDIO_DURATION = "audio_duration"  # milliseconds of sound that went in
    SEARCH_UNIT = "search_unit"  # one query over up to a hundred documents (rerank)


INPUT_CLASSES = frozenset(
    {
        UnitClass.INPUT,
        UnitClass.CACHE_READ,
        UnitClass.CACHE_WRITE,
        UnitClass.CACHE_WRITE_5M,
        UnitClass.CACHE_WRITE_1H,
        UnitClass.AUDIO_INPUT,
        UnitClass.AUDIO_CACHE_READ,
        UnitClass.IMAGE_INPUT,
        UnitClass.VIDEO_INPUT,
        UnitClass.TOOL_PROMPT,
    }
)
OUTPUT_CLASSES = frozenset(
    {UnitClass.OUTPUT, UnitClass.REASONING, UnitClass.AUDIO_OUTPUT, UnitClass.IMAGE_OUTPUT}
)
TOKEN_CLASSES = INPUT_CLASSES | OUTPUT_CLASSES
# Other measures of what tokens may count as well: a card that prices one prices all by it.
MEASURES = frozenset(
    {
        UnitClass.IMAGE,
        UnitClass.CHARACTERS,
        UnitClass.AUDIO_DURATION,
        UnitClass.SEARCH_UNIT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Quantities by class: tokens >= 0, disjoint; a missing class is zero.

    `raw` keeps the vendor's own integers (JSON without any text), for the charge's record.
    `measures` tell the same work again in other measures (MEASURES): billing.pricing takes
    one side or the other, as the card says.
    `service_tier` is the tier that the answer names, in our words ("standard" when none).
    """

    quantities: Mapping[UnitClass, int] = field(default_factory=dict)
    measures: Mapping[UnitClass, int] = field(default_factory=dict)
    service_tier: str = "standard"
    is_estimated: bool = False
    raw: str | None = None

    @property
    def prompt_tokens(self) -> int:
        """All tokens that went in: what price tiers are measured by."""
        return sum(n for c, n in self.quantities.items() if c in INPUT_CLASSES)

    @property
    def completion_tokens(self) -> int:
        """All tokens that came out, hidden reasoning included."""
        return sum(n for c, n in self.quantities.items() if c in OUTPUT_CLASSES)

    def count(self, *classes: UnitClass) -> int:
        """Return the sum over these classes."""
        return sum(self.quantities.get(c, 0) for c in classes)
