"""Reads images: generated, edited, varied (pure)."""

from typing import Any

from billing.usage import UnitClass, Usage
from routing.readers import counts
from routing.readers.base import Expectation
from routing.readers.media import MediaReader

# Where a vendor bills tokens and tells none: gpt-image-1's square picture in medium quality
# (platform.openai.com/docs/guides/image-generation [mem, 2026-11]).
IMAGE_TOKENS_USUAL = 1_056


class ImagesReader(MediaReader):
    """Reads a list of images, or events: partial ones, then one complete for each choice."""

    __slots__ = ("_images",)

    def __init__(self, expectation: Expectation) -> None:
        super().__init__(expectation)
        self._images = 0

    @property
    def estimate(self) -> Usage | None:
        """So many pictures, each as large as they usually are."""
        images = self._measures()
        tokens = images.get(UnitClass.IMAGE, 0) * IMAGE_TOKENS_USUAL
        return Usage(
            quantities={UnitClass.IMAGE_OUTPUT: tokens} if tokens else {},
            measures=images,
            is_estimated=True,
        )

    def _tell(self, document: dict[str, Any]) -> None:
        super()._tell(document)
        data = document.get("data")
        self._images += len(data) if isinstance(data, list) else 1

    def _is_error(self, document: dict[str, Any]) -> bool:
        is_whole = "type" not in document
        data = document.get("data")
        return bool(document.get("error")) or (is_whole and not (isinstance(data, list) and data))

    def _measures(self) -> dict[UnitClass, int]:
        return {UnitClass.IMAGE: self._images} if self._images else {}

    def _quantities(self, told: counts.Numbers) -> counts.Quantities:
        inside = told.inner("input_tokens_details", "prompt_tokens_details")
        outside = told.inner("output_tokens_details", "completion_tokens_details")
        written = told.count("output_tokens", "completion_tokens")
        pictures = outside.told("image_tokens")
        read = {
            UnitClass.CACHE_READ: inside.count("cached_tokens"),
            UnitClass.IMAGE_INPUT: inside.count("image_tokens"),
        }
        return {
            **counts.share(
                told.count("input_tokens", "prompt_tokens"),
                read,
                rest=UnitClass.INPUT,
                flags=self.flags,
            ),
            # Where it is not split, all that comes out are pictures.
            **counts.share(
                written,
                {UnitClass.IMAGE_OUTPUT: written if pictures is None else pictures},
                rest=UnitClass.OUTPUT,
                flags=self.flags,
            ),
        }
