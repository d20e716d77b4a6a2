"""What the readers of images and sound have in common (pure)."""

import abc
import re
from collections.abc import Iterator
from typing import Any, ClassVar

from billing.usage import UnitClass, Usage
from routing.conversation import FinishReason
from routing.readers import counts
from routing.readers.answer import AnswerReader, mapping
from routing.readers.base import Expectation, Step
from routing.surfaces import Family

# An event holds a whole picture in base64; the largest, 3840x2160 as PNG, may have 24 MiB.
EVENT_BYTES_MAX = 40 << 20
_DONE = b"[DONE]"
_PAGE = re.compile(rb"\s*<(!doctype|html)\b", re.IGNORECASE)


class MediaReader(AnswerReader):
    """Terminal: an event whose type ends in `done` or `completed`, one for each choice."""

    __slots__ = ("_count_done", "_told")
    family = Family.OPENAI
    event_bytes_max: ClassVar[int] = EVENT_BYTES_MAX

    def __init__(self, expectation: Expectation) -> None:
        super().__init__(expectation)
        self._told: list[dict[str, Any]] = []  # usages: each is of its own picture or sound
        self._count_done = 0

    def read_event(self, event: bytes) -> Step:
        """Take one event; `[DONE]`, which some vendors send, is the end of them."""
        if self.error is None and self._data(event) == _DONE:
            self._is_over = True
            return Step.HOLD
        return super().read_event(event)

    def _read(self, document: dict[str, Any], data: bytes) -> Step:
        if self._is_error(document) or document.get("type") == "error":
            return self._fail(data)
        self.has_output = True
        kind = document.get("type")
        if self._is_over or not isinstance(kind, str) or not kind.endswith((".done", ".completed")):
            return Step.HOLD if self._is_over else Step.PASS
        self._tell(document)
        self._count_done += 1
        if self._count_done < self.expectation.choices:
            return Step.PASS
        self._finish_with()
        return Step.HOLD

    def _read_whole(self, document: dict[str, Any]) -> None:
        self.has_output = True
        self._tell(document)
        self._finish_with()

    def _finish_with(self) -> None:
        self._is_over = True
        self._finish = FinishReason.STOP

    def _tell(self, document: dict[str, Any]) -> None:
        """Take what a document says of usage."""
        self._usage = None
        if told := mapping(document.get("usage")):
            self._told.append(told)

    def _take_body(self, body: bytes) -> bool:
        """Take a whole answer that is no JSON; False when it is no answer either."""
        if not body or _PAGE.match(body):
            self._fail(body)
            return False
        self.has_output = self.is_complete = True
        self._finish_with()
        return True

    def _count(self) -> Usage | None:
        quantities: counts.Quantities = {}
        for told in self._told:
            for unit_class, count in self._quantities(counts.Numbers(told, self.flags)).items():
                quantities[unit_class] = quantities.get(unit_class, 0) + count
        measures = self._measures()
        if not quantities and not measures:
            return None
        found = counts.usage(
            quantities,
            native_tier=None,
            raw=self._told[-1] if self._told else None,
            flags=self.flags,
        )
        return Usage(
            quantities=found.quantities,
            measures=measures,
            service_tier=found.service_tier,
            raw=found.raw,
        )

    @abc.abstractmethod
    def _quantities(self, told: counts.Numbers) -> counts.Quantities:
        """Turn one usage into disjoint classes of tokens."""

    def _measures(self) -> dict[UnitClass, int]:
        """Return what is known of the answer in other measures."""
        return {}

    def _keep(self, event: bytes) -> None:
        """Keep nothing: pictures and sounds hold no text."""

    def _text_of(self, document: Any) -> Iterator[str]:  # noqa: ARG002 - no text
        return iter(())
