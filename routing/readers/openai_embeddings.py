"""Reads answers of the embeddings endpoint (pure)."""

from typing import Any

from billing.usage import UnitClass, Usage
from routing.readers import counts
from routing.readers.answer import WholeReader, mapping
from routing.readers.base import Expectation
from routing.surfaces import Family


class EmbeddingsReader(WholeReader):
    """Reads a list of vectors."""

    __slots__ = ("_raw",)
    family = Family.OPENAI

    def __init__(self, expectation: Expectation) -> None:
        super().__init__(expectation)
        self._raw: dict[str, Any] = {}

    def _read_whole(self, document: dict[str, Any]) -> None:
        super()._read_whole(document)
        self._raw = mapping(document.get("usage"))

    def _is_error(self, document: dict[str, Any]) -> bool:
        return bool(document.get("error")) or "data" not in document

    def _count(self) -> Usage | None:
        told = counts.Numbers(self._raw, self.flags)
        tokens = told.told("prompt_tokens")
        if tokens is None:
            tokens = told.told("total_tokens")  # Voyage tells the total only
        if tokens is None:
            return None
        return counts.usage(
            {UnitClass.INPUT: tokens}, native_tier=None, raw=self._raw, flags=self.flags
        )
