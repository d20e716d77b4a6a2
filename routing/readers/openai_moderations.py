"""Reads verdicts of the moderations endpoint (pure)."""

from typing import Any

from billing.usage import UnitClass, Usage
from routing.readers import counts
from routing.readers.answer import WholeReader, mapping
from routing.readers.base import Expectation
from routing.surfaces import Family


class ModerationsReader(WholeReader):
    """Reads results; OpenAI, which takes nothing for them, tells no usage, others do."""

    __slots__ = ("_raw",)
    family = Family.OPENAI

    def __init__(self, expectation: Expectation) -> None:
        super().__init__(expectation)
        self._raw: dict[str, Any] = {}

    def _read_whole(self, document: dict[str, Any]) -> None:
        super()._read_whole(document)
        self._raw = mapping(document.get("usage"))

    def _is_error(self, document: dict[str, Any]) -> bool:
        return bool(document.get("error")) or not isinstance(document.get("results"), list)

    def _count(self) -> Usage | None:
        tokens = counts.Numbers(self._raw, self.flags).told("prompt_tokens", "total_tokens")
        if tokens is None:
            return None
        return counts.usage(
            {UnitClass.INPUT: tokens}, native_tier=None, raw=self._raw, flags=self.flags
        )
