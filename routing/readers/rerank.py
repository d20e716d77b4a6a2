"""Reads rankings: Cohere's, Jina's, Voyage's and OpenRouter's answers (pure)."""

from typing import Any

from billing.usage import UnitClass, Usage
from routing.readers import counts
from routing.readers.answer import WholeReader, mapping
from routing.readers.base import Expectation
from routing.surfaces import Family


class RerankReader(WholeReader):
    """Reads a ranking; its usage is tokens, search units, or both."""

    __slots__ = ("_raw",)
    family = Family.OPENAI

    def __init__(self, expectation: Expectation) -> None:
        super().__init__(expectation)
        self._raw: dict[str, Any] = {}

    @property
    def estimate(self) -> Usage | None:
        """So many search units as the documents make; tokens by the bytes of the request."""
        return Usage(measures=self.expectation.measures, is_estimated=True)

    def _read_whole(self, document: dict[str, Any]) -> None:
        super()._read_whole(document)
        billed = mapping(mapping(document.get("meta")).get("billed_units"))  # Cohere
        self._raw = {**billed, **mapping(document.get("usage"))}

    def _is_error(self, document: dict[str, Any]) -> bool:
        ranking = document.get("results", document.get("data"))  # Voyage says data
        return bool(document.get("error")) or not isinstance(ranking, list)

    def _count(self) -> Usage | None:
        told = counts.Numbers(self._raw, self.flags)
        tokens, units = told.told("total_tokens", "prompt_tokens"), told.told("search_units")
        if tokens is None and units is None:
            return None
        found = counts.usage(
            {UnitClass.INPUT: tokens or 0}, native_tier=None, raw=self._raw, flags=self.flags
        )
        return Usage(
            quantities=found.quantities,
            measures={} if units is None else {UnitClass.SEARCH_UNIT: units},
            raw=found.raw,
        )
