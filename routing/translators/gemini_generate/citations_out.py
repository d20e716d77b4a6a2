"""groundingMetadata of an answer for a Gemini client (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from routing.conversation import Citation
from routing.translators.gemini_generate.offsets import Offsets
from routing.translators.gemini_generate.writing import Json

CITATIONS_MAX: Final = 1_000  # of one choice


@dataclass(slots=True)
class _Block:
    """A text part: its span in characters of the whole text."""

    start: int
    end: int


@dataclass(slots=True)
class Grounding:
    """Follows the text of a choice and the sources that hang on it.

    Segments count the UTF-8 bytes of all visible text, as in recorded answers: `partIndex` is
    left out, for pieces of a stream have no number.
    """

    offsets: Offsets = field(default_factory=Offsets)
    _block: _Block | None = None
    _cited: list[tuple[Citation, _Block]] = field(default_factory=list)

    def text(self, text: str) -> None:
        """Take a piece of visible text."""
        if self._block is None:
            self._open()
        self.offsets.add(text)

    def end_block(self) -> None:
        """Take the end of a text part."""
        if self._block is not None:
            self._block.end = self.offsets.chars
            self._block = None

    def cite(self, citation: Citation) -> None:
        """Take a source of the text part; it may come before the text."""
        block = self._block or self._open()
        if len(self._cited) < CITATIONS_MAX:
            self._cited.append((citation, block))

    def metadata(self, text: str = "") -> Json | None:
        """Return the sources; None when there are none. `text`: all of it, where it was kept."""
        self.end_block()
        sources: dict[tuple[str, str], int] = {}
        supports: dict[tuple[int, int], list[int]] = {}
        for citation, block in self._cited:
            if not citation.url and not citation.title:
                continue
            number = sources.setdefault((citation.url, citation.title), len(sources))
            span = self._span(citation, block)
            if span is not None and number not in supports.setdefault(span, []):
                supports[span].append(number)
        if not sources:
            return None
        raw = text.encode("utf-8", "surrogatepass")
        return {
            "groundingChunks": [_chunk(url, title) for url, title in sources],
            "groundingSupports": [
                _support(span, numbers, raw) for span, numbers in supports.items()
            ],
        }

    def _open(self) -> _Block:
        chars = self.offsets.chars
        self._block = _Block(chars, chars)
        return self._block

    def _span(self, citation: Citation, block: _Block) -> tuple[int, int] | None:
        """Return the bytes that a citation stands on: all of its part when it tells none."""
        start, end = block.start, block.end
        if citation.start is not None and citation.end is not None:
            start, end = block.start + citation.start, block.start + citation.end
        first, last = self.offsets.byte_of(start), self.offsets.byte_of(end)
        return (first, last) if first is not None and last is not None and first < last else None


def _chunk(url: str, title: str) -> Json:
    web = {"uri": url} if url else {}
    return {"web": {**web, "title": title} if title else web}


def _support(span: tuple[int, int], numbers: Sequence[int], raw: bytes) -> Json:
    start, end = span
    segment: Json = {"startIndex": start, "endIndex": end}
    if raw:
        segment["text"] = raw[start:end].decode("utf-8", "ignore")
    return {"segment": segment, "groundingChunkIndices": list(numbers)}
